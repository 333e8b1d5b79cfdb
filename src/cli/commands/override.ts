// `override`: proposes another floor for one org. Nothing changes until a second person approves it.

import { findDataCenter } from '../../compose.js';
import { proposeOverride, withdrawOverride } from '../../engine/org/override-proposals.js';
import { command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { overrideDocument, showOverride } from '../views/show-override.js';

export interface OverrideFlags {
  readonly dc: string;
  readonly floor?: bigint | 'none';
  readonly withdraw?: boolean;
}

export function runOverride(
  session: CliSession,
  orgId: string,
  { dc, floor, withdraw }: OverrideFlags,
): Promise<number> {
  if ((floor === undefined) !== (withdraw === true))
    throw new RolloutError('invalid_argument', {
      message: 'An override takes either --floor or --withdraw.',
      next: 'Give one of them.',
    });
  return withProgram(session, {}, async (program) => {
    const { id } = findDataCenter(program.config, dc);
    // the person who approves it, and those who read the audit, need the reason
    const reason = getReason(session, 'An override');
    if (floor === undefined) {
      const overrideId = await withdrawOverride(program.engine, { dataCenter: id, orgId, reason });
      session.report({ overrideId, state: 'withdrawn' }, `✔ ${overrideId} is withdrawn. It changed nothing.`);
      return 0;
    }
    const wanted = floor === 'none' ? null : floor;
    const report = await proposeOverride(program.engine, { dataCenter: id, orgId, floor: wanted, reason });
    const next = session.commands.show(command`approve ${report.overrideId}`);
    session.report(overrideDocument(report, next), showOverride(withPrintableTexts(report), next, session.width()));
    return 0;
  });
}
