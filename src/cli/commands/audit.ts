// `audit`: who did what, when and why; the newest entries.

import { findDataCenter } from '../../compose.js';
import { readAudit } from '../../engine/operate/read-audit.js';
import { command, quoteArgument } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { raiseLimit } from '../arguments/parse-count.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { auditCsv, showAudit, showMore } from '../views/show-audit.js';

export interface AuditFlags {
  readonly dc?: string;
  readonly by?: string;
  readonly action?: string;
  readonly from?: string;
  readonly to?: string;
  readonly csv?: boolean;
  readonly limit: number;
}

export function runAudit(session: CliSession, { csv, limit, ...flags }: AuditFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const { dc, by: actor, action, from, to } = flags;
    const dataCenter = dc === undefined ? undefined : findDataCenter(program.config, dc);
    const zone = dataCenter?.zone ?? 'UTC';
    const list = await readAudit(program.engine, limit, { dataCenter: dataCenter?.id, actor, action, from, to, zone });
    const chosen = Object.entries({ dc, by: actor, action, from, to }).flatMap(([name, value]) =>
      value === undefined ? [] : [command`--${name} ${quoteArgument(value, 'TEXT')}`],
    );
    const older = session.commands.show(
      command`audit ${chosen} ${csv && command('--csv')} --limit ${raiseLimit(limit)}`,
    );
    if (csv && !session.options.json) {
      session.io.out(auditCsv(session.asShown(list)));
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
