// `audit`: who did what, when and why; the newest entries.

import { findDataCenter } from '../../compose.js';
import { readAudit } from '../../engine/operate/read-audit.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { auditCsv, showAudit } from '../views/show-audit.js';

export interface AuditFlags {
  readonly dc?: string;
  readonly csv?: boolean;
  readonly limit: number;
}

export function runAudit(session: CliSession, { dc, csv, limit }: AuditFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const id = dc === undefined ? undefined : findDataCenter(program.config, dc).id;
    const rows = await readAudit(program.engine, limit, id);
    if (csv && !session.options.json) session.io.out(auditCsv(rows));
    else session.report({ audit: rows }, showAudit(withPrintableTexts(rows)));
    return 0;
  });
}
