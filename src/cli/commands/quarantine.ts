// `quarantine`: the orgs that the newest run of a data center could not decide, and why. Ids go to this screen only.
import type { Command } from 'commander';
import { findDataCenter } from '../../compose.js';
import { listQuarantine } from '../../engine/list-quarantine.js';
import type { CliSession, Execute } from '../cli-session.js';
import { parseCount } from '../parse-count.js';
import { showQuarantine } from '../show-quarantine.js';
import { withProgram } from '../with-program.js';

interface QuarantineFlags {
  readonly dc: string;
  readonly limit: number;
}

const MOST = 100_000;

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
