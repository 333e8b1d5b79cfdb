// `audit`: who did what, when and why; the newest entries.
import type { Command } from 'commander';
import { findDataCenter } from '../../compose.js';
import { readAudit } from '../../engine/operate/read-audit.js';
import { parseCount } from '../arguments/parse-count.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession, Execute } from '../terminal/session.js';
import { showAudit } from '../views/show-audit.js';

interface AuditFlags {
  readonly dc?: string;
  readonly limit: number;
}

const MOST = 100_000;

export function registerAuditCommand(cli: Command, execute: Execute): void {
  cli
    .command('audit')
    .description('who did what, when and why')
    .option('--dc <id>', 'only this data center')
    .option('--limit <n>', 'most entries to list', parseCount(MOST), 50)
    .action((flags: AuditFlags) => execute((session) => runAudit(session, flags)));
}

function runAudit(session: CliSession, { dc, limit }: AuditFlags): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const id = dc === undefined ? undefined : findDataCenter(program.config, dc).id;
    const rows = await readAudit(program.engine, limit, id);
    session.report({ audit: rows }, showAudit(rows));
    return 0;
  });
}
