// The commands that say what an operator wants of a data center at once, as the command line has them.
import type { Command } from 'commander';
import { MAX_REVISION, parseCount, REVISION } from '../arguments/parse-options.js';
import type { Execute } from '../terminal/session.js';
import type { FreezeFlags } from './freeze.js';
import type { IntentFlags, IntentVerb } from './operate.js';
import type { UndoFlags } from './undo.js';

export function registerIntents(cli: Command, execute: Execute): void {
  const verb = (name: IntentVerb, description: string): Command =>
    cli
      .command(name)
      .description(description)
      .requiredOption('--dc <id>', 'the data center')
      .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
      .action((flags: IntentFlags) =>
        execute(async (session) => (await import('./operate.js')).runIntent(session, name, flags)),
      );
  verb('pause', 'stop after the current batches; the state `paused` proves that nothing of ours can commit')
    .option('--for <duration>', 'end it by itself after so long, for example PT2H')
    .option('--until <when>', 'end it by itself then: a date or time in its zone, or with an offset');
  verb('resume', 'continue after a pause');
  verb('abort', 'end the rollout of a data center; what is written stays');
  verb('retry', 'reopen a failed run, and process only what is pending');
  cli
    .command('undo')
    .description('show what taking back the newest rollout of a data center would do; with --execute, ask for it')
    .requiredOption('--dc <id>', 'the data center')
    .option('--limit <n>', 'list at most so many orgs that fall, and so many that are left', parseCount(100_000), 50)
    .option('--execute', 'do it, or propose it where paid orgs fall; needs --reason')
    .option('--show', 'show what is proposed or waits, as it was computed: for the person who approves it')
    .option('--withdraw <id>', 'withdraw an undo that has not begun, for example in-u2; needs --reason')
    .action((flags: UndoFlags) => execute(async (session) => (await import('./undo.js')).runUndo(session, flags)));
  cli
    .command('freeze')
    .description('stop all our writes in the cells; needs neither the queue nor the control database')
    .option('--dc <ids...>', 'only these data centers')
    .action((flags: FreezeFlags) =>
      execute(async (session) => (await import('./freeze.js')).runFreeze(session, flags)),
    );
  cli
    .command('unfreeze')
    .description('end a freeze')
    .option('--dc <ids...>', 'only these data centers')
    .action((flags: FreezeFlags) =>
      execute(async (session) => (await import('./freeze.js')).runUnfreeze(session, flags)),
    );
}
