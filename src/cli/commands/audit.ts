// `audit`: who did what, when and why; the newest entries.
import { findDataCenter } from '../../compose.js';
import { readAudit } from '../../engine/operate/read-audit.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { showAudit } from '../views/show-audit.js';

export interface AuditFlags {
  readonly dc?: string;
  readonly limit: number;
}

export function runAudit(session: CliSession, { dc, limit }: AuditFlags): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const id = dc === undefined ? undefined : findDataCenter(program.config, dc).id;
    const rows = await readAudit(program.engine, limit, id);
    session.report({ audit: rows }, showAudit(rows));
    return 0;
  });
}
