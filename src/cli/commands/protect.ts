// `protect`: keeps one org out of canaries. Plans that would write it need the approval of a person.

import { findDataCenter } from '../../compose.js';
import { type ProtectReport, protectOrg } from '../../engine/org/protect-org.js';
import { showName, withPrintableTexts } from '../../kernel/printable.js';
import { withProgram } from '../processes/with-program.js';
import { showOrgs } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';

export interface ProtectFlags {
  readonly dc: string;
  readonly remove?: boolean;
}

export function runProtect(session: CliSession, orgId: string, { dc, remove }: ProtectFlags): Promise<number> {
  return withProgram(session, {}, async ({ config, engine }) => {
    const dataCenter = findDataCenter(config, dc).id;
    const to = remove ? 'unprotected' : 'protected';
    const report = await protectOrg(engine, { dataCenter, orgId, to, reason: session.options.reason });
    session.report({ ...report }, showProtection(withPrintableTexts(report)));
    return 0;
  });
}

function showProtection({ dataCenter, orgId, state, changed, protectedOrgs }: ProtectReport): string {
  const before = changed ? '' : ' already; nothing was written';
  const follows =
    state === 'protected'
      ? 'No canary includes it. A plan that would write it is outside the guard-rails.'
      : 'Canaries may include it, and plans may write it.';
  return [
    `✔ org ${showName(orgId)} in ${dataCenter} is ${state}${before}`,
    `    ${follows}`,
    `    ${dataCenter} has ${showOrgs(protectedOrgs)} protected now.`,
  ].join('\n');
}
