// `quarantine`: the orgs that the newest run of a data center could not decide, and why. Ids go to this screen only.

import { findDataCenter } from '../../compose.js';
import { listQuarantine } from '../../engine/org/list-quarantine.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { showQuarantine } from '../views/show-quarantine.js';

export interface QuarantineFlags {
  readonly dc: string;
  readonly limit: number;
}

export function runQuarantine(session: CliSession, { dc, limit }: QuarantineFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const { id } = findDataCenter(program.config, dc);
    const report = await listQuarantine(program.engine, id, limit);
    session.report({ ...report }, showQuarantine(withPrintableTexts(report), session.commands, session.width()));
    return 0;
  });
}
