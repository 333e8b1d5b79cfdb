// Moves a data center to its next stage: a compare-and-set in control with its audit row, and the end of its run in the
// cell.
import { SLOT_STAGES, type Stage } from '../../domain/rollout/stage.js';
import { readProgress } from '../../stores/cell/batch/progress.js';
import { endRun, findRun } from '../../stores/cell/batch/runs.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import {
  type DataCenterChange,
  type DataCenterVersion,
  type RequestedRollout,
  type RolloutPosition,
  type RolloutRun,
  transitionDataCenter,
} from '../../stores/control/data-centers.js';
import { endControlRun } from '../../stores/control/runs.js';
import type { EngineContext } from '../context.js';

/** What a change of stage reads of a data center. */
type StageRow = DataCenterVersion & RolloutRun & Pick<RolloutPosition, 'stage'>;

/** Run and epoch of a row, where it has them, for its audit rows. */
export const ofRun = (row: RolloutRun): { runId?: bigint; epoch?: bigint } => ({
  ...(row.runId !== null && { runId: row.runId }),
  ...(row.epoch !== null && { epoch: row.epoch }),
});

/** Moves to the stage `to` at control's `now`; false when another scheduler was faster. */
export async function advanceStage(
  context: EngineContext,
  row: StageRow & Pick<RolloutPosition, 'doneAt'> & Pick<RequestedRollout, 'settings'>,
  to: Stage,
  reason: string,
  now: Date,
): Promise<boolean> {
  if (to === 'aborted') return endStage(context, row, { stage: 'aborted' }, 'aborted', reason);
  if (to === 'undone') return endStage(context, row, { stage: 'undone' }, 'done', reason);
  if (to === 'baking') {
    const bakeUntil = new Date(now.getTime() + (row.settings?.bakeMs ?? 0));
    return endStage(context, row, { stage: 'baking', verifiedAt: now, bakeUntil }, 'done', reason);
  }
  const first = to === 'done' && row.doneAt === null ? { doneAt: now } : {};
  return move(
    context,
    row,
    { stage: to, ...first, ...(SLOT_STAGES.includes(to) ? {} : { fenceConfirmedClosed: true }) },
    reason,
  );
}

async function move(context: EngineContext, row: StageRow, change: DataCenterChange, reason: string): Promise<boolean> {
  return context.control.inTransaction((tx) => recordMove(tx, row, change, reason));
}

/** The compare-and-set of a stage, and its audit row; false when another scheduler was faster. */
async function recordMove(
  tx: ControlTransaction,
  row: StageRow,
  change: DataCenterChange,
  reason: string,
): Promise<boolean> {
  if (!(await transitionDataCenter(tx, row, change))) return false;
  const details = { from: row.stage, to: change.stage, ...(change.failure && { failure: change.failure }) };
  await appendAudit(tx, { action: 'transition', dataCenter: row.id, reason, details, ...ofRun(row) });
  return true;
}

/**
 * Moves to a stage in which the run is over. It ends in the cell first, so that control never shows an end that the
 * cell lacks.
 */
export async function endStage(
  context: EngineContext,
  row: StageRow,
  change: DataCenterChange & { readonly stage: Stage },
  state: 'done' | 'failed' | 'aborted',
  reason: string,
): Promise<boolean> {
  const { runId } = row;
  const counts = runId === null || row.stage === 'baking' ? null : await endInCell(context, row.id, runId, state);
  return context.control.inTransaction(async (tx) => {
    if (!(await recordMove(tx, row, { ...change, fenceConfirmedClosed: true, requestedAt: null }, reason)))
      return false;
    if (runId !== null && counts !== null) await endControlRun(tx, runId, state, counts);
    return true;
  });
}

async function endInCell(
  context: EngineContext,
  dataCenter: string,
  runId: bigint,
  state: 'done' | 'failed' | 'aborted',
): Promise<Record<string, number | string>> {
  return context.cells.get(dataCenter).inTransaction('fencer', async (tx) => {
    await endRun(tx, runId, state);
    // the cell lost it, or its fence was never opened
    if ((await findRun(tx, runId)) === undefined) return {};
    const {
      recent: _,
      lastDoneAt: __,
      idleMs: ___,
      canary: ____,
      followedUp: _____,
      ...counts
    } = await readProgress(tx, runId);
    return counts;
  });
}
