// `audit`: who did what, when and why; the newest entries.

import { findDataCenter } from '../../compose.js';
import { readAudit } from '../../engine/operate/read-audit.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { raiseLimit } from '../arguments/parse-count.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { auditCsv, showAudit, showMore } from '../views/show-audit.js';

export interface AuditFlags {
  readonly dc?: string;
  readonly csv?: boolean;
  readonly limit: number;
}

export function runAudit(session: CliSession, { dc, csv, limit }: AuditFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const id = dc === undefined ? undefined : findDataCenter(program.config, dc).id;
    const list = await readAudit(program.engine, limit, id);
    const chosen = id === undefined ? '' : ` --dc ${id}`;
    const older = session.commands.show(`audit${chosen}${csv ? ' --csv' : ''} --limit ${raiseLimit(limit)}`);
    if (csv && !session.options.json) {
      session.io.out(auditCsv(list));
      // beside the file, which is complete only up to there
      if (list.more) session.warn(showMore(list.entries.length, older));
    } else
      session.report(
        { audit: list.entries, more: list.more },
        showAudit(withPrintableTexts(list), older, session.width()),
      );
    return 0;
  });
}
