// The commands `settings` and `cutover`, whose changes one person proposes and another approves: descriptions,
// arguments and options. Loads nothing that they work with.
import type { Command } from 'commander';
import { MAX_REVISION, parseCount, REVISION } from '../arguments/parse-options.js';
import type { CliSession, Execute } from '../terminal/session.js';
import type { SetCheckFlags } from './check-limits.js';
import type { CutoverFlags, ExecuteCutoverFlags, ProposeCutoverFlags } from './cutover.js';
import type { GetLanesFlags, SetLanesFlags } from './lanes.js';
import type { ProposeSettingFlags } from './settings.js';

const SETTINGS = 'lanes: batches at once; checks.NAME: the limit of a check';

export function registerSettings(cli: Command, execute: Execute): void {
  const settings = cli
    .command('settings')
    .description(
      'the policy that judges every rollout: show, propose, withdraw; and lanes and checks: get, set, unset',
    );
  settings
    .command('show', { isDefault: true })
    .description('show every setting in force, who set it and when, and the changes that wait')
    .action(() => execute(async (session) => (await import('./settings.js')).runShowSettings(session)));
  settings
    .command('propose')
    .description("show how the policy would change; with --execute, propose it for a second person's approval")
    .argument('[name]', 'the key of the setting, such as rollout.bake')
    .argument('[value]', 'as in the configuration, or none')
    .option('--from-config', 'every value that the configuration writes otherwise')
    .option('--execute', 'do it')
    .action((name: string | undefined, value: string | undefined, flags: ProposeSettingFlags) =>
      execute(async (session) => (await import('./settings.js')).runProposeSetting(session, { ...flags, name, value })),
    );
  settings
    .command('get')
    .description('show a setting that one person may change at once')
    .argument('<name>', SETTINGS)
    .option('--dc <id>', 'only this data center')
    .action((name: string, flags: Omit<GetLanesFlags, 'name'>) =>
      execute(async (session) => {
        const { findCheckName, runGetChecks } = await import('./check-limits.js');
        const check = findCheckName(name);
        if (check === undefined) return (await import('./lanes.js')).runGetLanes(session, { ...flags, name });
        return runGetChecks(session, { ...flags, ...(check !== '' && { name: check }) });
      }),
    );
  const change = (verb: Command): Command =>
    verb
      .requiredOption('--dc <id>', 'the data center')
      .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
      .option('--execute', 'do it; needs --reason');
  change(settings.command('set'))
    .description('show what setting it would change; with --execute, set it: batches that begin then follow it')
    .argument('<name>', SETTINGS)
    .argument('<value>', 'of lanes from 1 to 32; of a check its limit, or off')
    .option('--emergency', 'of a check, looser than the policy: ends by itself after two hours')
    .action((name: string, value: string, flags: Omit<SetLanesFlags & SetCheckFlags, 'name'>) =>
      execute((session) => setOne(session, { ...flags, name, value })),
    );
  change(settings.command('unset'))
    .description('take it back; with --execute, do it: the value of the request or the policy applies again')
    .argument('<name>', SETTINGS)
    .action((name: string, flags: Omit<SetLanesFlags, 'name'>) =>
      execute((session) => setOne(session, { ...flags, name })),
    );
  settings
    .command('withdraw')
    .description('withdraw a proposed change')
    .argument('<id>', 'for example s3')
    .action((id: string) =>
      execute(async (session) => (await import('./settings.js')).runWithdrawSetting(session, id)),
    );
}

async function setOne(session: CliSession, flags: SetLanesFlags & SetCheckFlags): Promise<number> {
  const { findCheckName, runSetCheck } = await import('./check-limits.js');
  const check = findCheckName(flags.name);
  if (check !== undefined) return runSetCheck(session, { ...flags, name: check });
  return (await import('./lanes.js')).runSetLanes(session, flags);
}

export function registerCutover(cli: Command, execute: Execute): void {
  // without an action of its own, so that an option is never the parent's and the child's at once
  const cutover = cli
    .command('cutover')
    .description('when new sign-ups start on credits: show, postpone, execute, reverse');
  cutover
    .command('show', { isDefault: true })
    .description('show the instant of every data center, how far its cut-over is, and the proposals')
    .option('--dc <ids...>', 'only these data centers')
    .action((flags: CutoverFlags) =>
      execute(async (session) => (await import('./cutover.js')).runShowCutover(session, flags)),
    );
  cutover
    .command('postpone')
    .description("propose another instant; a second person's approval moves it")
    .requiredOption('--dc <id>', 'the data center')
    .option('--to <when>', 'a local date or time in its zone')
    .option('--withdraw', 'withdraw the open proposal instead')
    .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
    .action((flags: ProposeCutoverFlags) =>
      execute(async (session) => (await import('./cutover.js')).runProposeCutover(session, 'postponement', flags)),
    );
  cutover
    .command('execute')
    .description('make it final by hand, at or after its instant; without --execute, show what would happen')
    .requiredOption('--dc <id>', 'the data center')
    .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
    .option('--execute', 'do it')
    .action((flags: ExecuteCutoverFlags) =>
      execute(async (session) => (await import('./cutover.js')).runExecuteCutover(session, flags)),
    );
  cutover
    .command('reverse')
    .description("propose to reverse one that has happened; a second person's approval reverses it")
    .requiredOption('--dc <id>', 'the data center')
    .option('--to <when>', 'the next instant, a local date or time in its zone')
    .option('--withdraw', 'withdraw the open proposal instead')
    .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
    .action((flags: ProposeCutoverFlags) =>
      execute(async (session) => (await import('./cutover.js')).runProposeCutover(session, 'reversal', flags)),
    );
}
