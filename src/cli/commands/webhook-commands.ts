// The command `webhooks`: descriptions, arguments and options. Loads nothing that it works with.
import type { Command } from 'commander';
import { parseEventId } from '../arguments/parse-event-id.js';
import type { Execute } from '../terminal/session.js';
import type { ResendFlags } from './webhooks.js';

export function registerWebhooks(cli: Command, execute: Execute): void {
  const webhooks = cli.command('webhooks').description('who is told what happens: list, or send messages again');
  webhooks
    .command('list', { isDefault: true })
    .description('list the webhooks, what waits for each, why, and the messages that were given up')
    .action(() => execute(async (session) => (await import('./webhooks.js')).runListWebhooks(session)));
  webhooks
    .command('resend')
    .description('show which messages would be sent again; with --execute, send them')
    .argument('[event]', 'the number of one event; left out: everything that was given up', parseEventId)
    .requiredOption('--to <webhook>', 'its name in the configuration')
    .option('--execute', 'do it; needs --reason')
    .action((event: bigint | undefined, flags: ResendFlags) =>
      execute(async (session) => (await import('./webhooks.js')).runResend(session, event, flags)),
    );
}
