// Opens and closes a cell's fence for a run, or for its verification. It opens under an epoch that is new to the cell;
// when it is closed, nothing of the run can commit any more.
import { RESTING_STAGES, SLOT_STAGES } from '../../domain/rollout/stage.js';
import { readFence, saveFenceClosed, setFence } from '../../stores/cell/batch/fence.js';
import { openSealedRun } from '../../stores/cell/batch/runs.js';
import { clearVerification } from '../../stores/cell/batch/verification.js';
import { stopSingleWrites } from '../../stores/cell/reconcile/maintenance.js';
import { openSealedUndo } from '../../stores/cell/undo/undo-runs.js';
import { appendAudit } from '../../stores/control/audit.js';
import {
  type AdoptedCell,
  type DataCenterVersion,
  type RequestedRollout,
  type RolloutPosition,
  type RolloutRun,
  transitionDataCenter,
} from '../../stores/control/data-centers.js';
import { sealRun, sealUndo } from '../../stores/control/seals.js';
import { readSealFailure, type Seal } from '../../stores/seal.js';
import type { EngineContext } from '../context.js';
import { endForgottenRuns } from '../end-forgotten-runs.js';
import { withExclusiveFence } from '../exclusive-fence.js';
import { takeNewEpoch } from '../new-epoch.js';
import { ofRun } from './advance-stage.js';
import { readCell } from './read-cell.js';

/** What opening a fence reads of a data center. */
type FenceRow = DataCenterVersion &
  AdoptedCell &
  RolloutRun &
  Pick<RequestedRollout, 'planId' | 'settings'> &
  Pick<RolloutPosition, 'stage' | 'fenceConfirmedClosed'>;

/**
 * Opens the fence under the row's epoch. Where the cell has seen that epoch, or control has recorded it as closed, it
 * takes a new one instead, and the next tick opens the fence. False: another scheduler was faster, or something must be
 * waited for.
 */
export async function openFence(
  context: EngineContext,
  row: FenceRow,
  state: 'open' | 'verifying',
  reason: string,
): Promise<boolean> {
  const reading = await readCell(() => context.cells.get(row.id), { runId: null, adoption: row.adoption });
  if (reading.kind !== 'read' || row.runId === null || row.settings === null) return false;
  const { epoch: seen } = reading.fence;
  // a failover may have taken its opening and its closing away: the cell alone does not know what was closed
  if (row.epoch === null || row.epoch <= seen || row.fenceConfirmedClosed)
    return takeNewEpoch(context, { dataCenter: row.id, seen, reason }, (tx, epoch) =>
      transitionDataCenter(tx, row, { epoch, fenceConfirmedClosed: false }),
    );
  const { runId } = row;
  const ofUndo = row.stage === 'undoing';
  // whoever has closed it before a failover, and did not record that, comes too late from here on
  const change = { fenceConfirmedClosed: false } as const;
  if (!(await context.control.inTransaction((tx) => transitionDataCenter(tx, row, change)))) return false;
  // in a transaction of its own: control seals only what is committed
  const seal = await context.control.inTransaction((tx) => (ofUndo ? sealUndo(tx, runId) : sealRun(tx, runId)));
  if (seal === undefined) return false;
  await endForgottenRuns(context, row.id);
  const opening = { seal, runId, epoch: row.epoch, state, ofUndo };
  try {
    return await openInCell(context, row, opening);
  } catch (error) {
    const failure = readSealFailure(error);
    if (failure === undefined || failure === 'not_initialised') throw error;
    // the next decision is that the run failed
    return failInCell(context, row, { failure, epoch: row.epoch });
  }
}

interface Opening {
  readonly seal: Seal;
  readonly runId: bigint;
  readonly epoch: bigint;
  readonly state: 'open' | 'verifying';
  /** The run takes back another one. */
  readonly ofUndo: boolean;
}

async function openInCell(
  context: EngineContext,
  { id }: FenceRow,
  { seal, runId, epoch, state, ofUndo }: Opening,
): Promise<boolean> {
  return withExclusiveFence(context.cells.get(id), async (tx) => {
    const fence = await readFence(tx);
    if (fence.epoch >= epoch) return fence.epoch === epoch && fence.state === state;
    // what was verified before a failover may be gone
    if (state === 'verifying' && fence.timeline !== fence.currentTimeline) await clearVerification(tx, runId);
    if (ofUndo) await openSealedUndo(tx, seal);
    else if (!(await openSealedRun(tx, seal))) {
      // the cell was restored to a state before its plan: the next decision is that the run failed
      await saveFenceClosed(tx, 'plan_unknown', epoch);
      return true;
    }
    await saveFenceClosed(tx, null);
    await setFence(tx, { state, epoch, runId });
    return true;
  });
}

const failInCell = (
  context: EngineContext,
  { id }: FenceRow,
  { failure, epoch }: { readonly failure: string; readonly epoch: bigint },
): Promise<boolean> =>
  withExclusiveFence(context.cells.get(id), async (tx) => {
    await saveFenceClosed(tx, failure, epoch);
    return true;
  });

/**
 * Closes the fence at the row's epoch, and records it in control. False: a batch still holds it, or another was faster.
 */
export async function closeFence(
  context: EngineContext,
  row: DataCenterVersion & RolloutRun & Pick<RolloutPosition, 'stage'>,
  reason: string,
): Promise<boolean> {
  const epoch = row.epoch ?? 0n;
  const cell = context.cells.get(row.id);
  if (SLOT_STAGES.includes(row.stage)) {
    const { epoch: seen } = await cell.inTransaction('fencer', readFence);
    // opened under an epoch that a restored control has lost, and nobody else closes it; a late step changes no row
    if (seen > epoch)
      return takeNewEpoch(context, { dataCenter: row.id, seen, reason }, (tx, taken) =>
        transitionDataCenter(tx, row, { epoch: taken, fenceConfirmedClosed: false }),
      );
  }
  const closed = await withExclusiveFence(cell, async (tx) => {
    // this step came late: the fence was opened under a newer epoch, which is for other steps to close
    if (SLOT_STAGES.includes(row.stage) && (await readFence(tx)).epoch > epoch) return false;
    await saveFenceClosed(tx, null, epoch);
    // also behind a fence that was closed already: the change feed wrote there
    await stopSingleWrites(tx);
    return true;
  });
  if (!closed) return false;
  // this fence may be open for a run that control does not know
  if (RESTING_STAGES.includes(row.stage)) await endForgottenRuns(context, row.id);
  return context.control.inTransaction(async (tx) => {
    const moved = await transitionDataCenter(tx, row, { fenceConfirmedClosed: true, singleWrites: false });
    if (moved) await appendAudit(tx, { action: 'close_fence', dataCenter: row.id, reason, ...ofRun(row) });
    return moved;
  });
}
