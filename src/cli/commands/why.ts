// `why`: one org's number and where it comes from, read from its cell for the person who asks.

import { findDataCenter } from '../../compose.js';
import { explainOrg } from '../../engine/org/explain-org.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { showWhy } from '../views/show-why.js';

export function runWhy(session: CliSession, orgId: string, dc: string): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const { id, zone } = findDataCenter(program.config, dc);
    const explanation = await explainOrg(program.engine, { dataCenter: id, orgId });
    session.report({ ...explanation }, showWhy(withPrintableTexts(explanation), zone, session.commands));
    return 0;
  });
}
