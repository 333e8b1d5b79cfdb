// The commands `meter`: descriptions and options. Loads nothing that they work with.
import { type Command, Option } from 'commander';
import { ORG_OPTION_TEXT } from '../arguments/read-org.js';
import type { Execute } from '../terminal/session.js';
import type { EnforceFlags } from './enforce.js';
import type { MeterFlags } from './meter.js';

const WISHES = ['off', 'shadow', 'on', 'inherit'];

export function registerMeter(cli: Command, execute: Execute): void {
  // without an action of its own, so that an option is never the parent's and the child's at once
  const meter = cli
    .command('meter')
    .description('count and limit the calls of a data center: serve, or what limits do');
  meter
    .command('serve', { isDefault: true })
    .description('count and limit the calls of a data center, for gateways on this machine')
    .requiredOption('--dc <id>', 'the data center')
    .option('--listen <address>', 'unix:PATH, or 127.0.0.1:PORT', '127.0.0.1:8429')
    .action((flags: MeterFlags) => execute(async (session) => (await import('./meter.js')).runMeter(session, flags)));
  meter
    .command('enforce')
    .description(
      'show whether limits refuse calls (on), only count them (shadow), or neither; with --execute, change it',
    )
    .requiredOption('--dc <id>', 'the data center')
    .option('--org <id>', ORG_OPTION_TEXT)
    .addOption(new Option('--credits <what>', 'the limit of a day; inherit: as the data center has it').choices(WISHES))
    .addOption(new Option('--concurrency <what>', 'the limit of calls at once').choices(WISHES))
    .option('--execute', 'do it; needs --reason')
    .action((flags: EnforceFlags) =>
      execute(async (session) => (await import('./enforce.js')).runEnforce(session, flags)),
    );
}
