// `quarantine`: the orgs that the newest run of a data center could not decide, and why. Ids go to this screen only.
import type { Command } from 'commander';
import { findDataCenter } from '../../compose.js';
import { listQuarantine } from '../../engine/org/list-quarantine.js';
import { parseCount } from '../arguments/parse-count.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession, Execute } from '../terminal/session.js';
import { showQuarantine } from '../views/show-quarantine.js';

interface QuarantineFlags {
  readonly dc: string;
  readonly limit: number;
}

const MOST = 100_000;

export function registerQuarantineCommand(cli: Command, execute: Execute): void {
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
