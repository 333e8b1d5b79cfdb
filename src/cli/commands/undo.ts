// `undo`: shows what taking back the newest rollout run that is not undone would do; with --execute has a scheduler do
// it, or proposes it to a second person where paid orgs would fall.

import { findDataCenter, type Program } from '../../compose.js';
import { previewUndo, type UndoReport } from '../../engine/undo/preview-undo.js';
import { requestUndo, withdrawOpenUndo } from '../../engine/undo/request-undo.js';
import { showUndoPlan } from '../../engine/undo/show-undo-plan.js';
import { type CommandText, command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { parseProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import { ORGS_LEFT_OUT } from '../terminal/exit-code.js';
import type { CliSession } from '../terminal/session.js';
import { withCounter } from '../terminal/with-counter.js';
import { showUndo, undoDocument } from '../views/show-undo.js';

export interface UndoFlags {
  readonly dc: string;
  readonly execute?: boolean;
  /** What waits is shown, as it was computed. */
  readonly show?: boolean;
  /** The name of the undo that is withdrawn. */
  readonly withdraw?: string;
  readonly limit: number;
}

export function runUndo(session: CliSession, flags: UndoFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const dataCenter = findDataCenter(program.config, flags.dc).id;
    const exitCode = reportUndo(session, await carryOut(session, program, { ...flags, dataCenter }));
    return flags.show ? 0 : exitCode;
  });
}

function carryOut(
  session: CliSession,
  { engine }: Program,
  { dataCenter, execute, show, withdraw, limit }: UndoFlags & { readonly dataCenter: string },
): Promise<UndoReport> {
  if (show) {
    if (execute || withdraw !== undefined)
      throw new RolloutError('invalid_argument', {
        message: '--show shows the undo that waits, and does nothing else.',
        next: 'Leave --execute and --withdraw out.',
      });
    return showUndoPlan(engine, { dataCenter, limit });
  }
  if (withdraw !== undefined) {
    const id = parseProposalId(withdraw);
    if (execute || id?.kind !== 'undo' || id.dataCenter !== dataCenter)
      throw new RolloutError('invalid_argument', {
        message: '--withdraw names an undo of the data center, and does nothing else.',
        next: 'Give its name, such as in-u2, and leave --execute out.',
      });
    return withdrawOpenUndo(engine, id, getReason(session, 'Withdrawing an undo'));
  }
  const reason = execute ? getReason(session, 'An undo') : undefined;
  return withCounter(session, `Reading ${dataCenter}`, (count) =>
    reason === undefined
      ? previewUndo(engine, { dataCenter, limit }, count)
      : requestUndo(engine, { dataCenter, limit, reason }, count),
  );
}

/** 3: it is asked for, and some orgs are left as they are. */
export function reportUndo(session: Pick<CliSession, 'commands' | 'report' | 'width'>, report: UndoReport): number {
  const next = session.commands.show(nextOf(report));
  const again = session.commands.show(command`undo --dc ${report.dataCenter}`);
  session.report(undoDocument(report, next), showUndo(withPrintableTexts(report), { next, again }, session.width()));
  return report.state === 'requested' && report.counts.conflicts > 0 ? ORGS_LEFT_OUT : 0;
}

function nextOf({ state, dataCenter, undoId }: UndoReport): CommandText {
  if (state === 'proposed') return command`approve ${undoId ?? 'ID'}`;
  if (state === 'requested') return command`wait --dc ${dataCenter}`;
  return state === 'dry_run' ? command`undo --dc ${dataCenter} --execute --reason TEXT` : command('status');
}
