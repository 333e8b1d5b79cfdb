// `quarantine`: the orgs that the newest run of a data center could not decide, and why. Ids go to this screen only.
import { type Command, InvalidArgumentError } from 'commander';
import { findDataCenter } from '../../compose.js';
import { listQuarantine } from '../../engine/list-quarantine.js';
import type { CliSession, Execute } from '../cli-session.js';
import { showQuarantine } from '../show-quarantine.js';
import { withProgram } from '../with-program.js';

interface QuarantineFlags {
  readonly dc: string;
  readonly limit: number;
}

const MOST = 100_000;

/** Reads a count of an option; commander names the option in the error. */
export function parseCount(most: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (!/^\d{1,9}$/u.test(text) || count < 1 || count > most)
      throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
    return count;
  };
}

export function registerQuarantine(cli: Command, execute: Execute): void {
  cli
    .command('quarantine')
    .description('the orgs that could not be decided, and why')
    .requiredOption('--dc <id>', 'the data center')
    .option('--limit <n>', 'most orgs to list', parseCount(MOST), 100)
    .action((flags: QuarantineFlags) => execute((session) => runQuarantine(session, flags)));
}

function runQuarantine(session: CliSession, { dc, limit }: QuarantineFlags): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const { id } = findDataCenter(program.config, dc);
    const report = await listQuarantine(program.engine, id, limit);
    session.report({ ...report }, showQuarantine(report, session.commands));
    return 0;
  });
}
