// Opens and closes a cell's fence for a run, or for its verification. It opens under an epoch that is new to the cell;
// when it is closed, nothing of the run can commit any more.
import { SLOT_STAGES } from '../../domain/rollout/stage.js';
import { readFence, saveFenceClosed, setFence } from '../../stores/cell/batch/fence.js';
import { activateCard, insertRun, reopenRun } from '../../stores/cell/batch/runs.js';
import { clearVerification } from '../../stores/cell/batch/verification.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { stopSingleWrites } from '../../stores/cell/reconcile/maintenance.js';
import { appendAudit } from '../../stores/control/audit.js';
import {
  type DataCenterVersion,
  type RequestedRollout,
  type RolloutPosition,
  type RolloutRun,
  type RunSettings,
  transitionDataCenter,
} from '../../stores/control/data-centers.js';
import { cutFirstRanges } from '../batch/cut-ranges.js';
import type { EngineContext } from '../context.js';
import { withExclusiveFence } from '../exclusive-fence.js';
import { takeNewEpoch } from '../new-epoch.js';
import { parsePlanName } from '../plan/plan-id.js';
import { ofRun } from './advance-stage.js';
import { readCell } from './read-cell.js';

/**
 * What a scheduler's step did. `nothing`: another scheduler was faster, or something must be waited for. `moved`: it is
 * done, and more may be due at once. `called`: it is done, and workers must work before more is due.
 */
export type StepOutcome = 'nothing' | 'moved' | 'called';

/** What opening a fence reads of a data center. */
type FenceRow = DataCenterVersion & RolloutRun & Pick<RequestedRollout, 'planId' | 'settings'>;

/**
 * Opens the fence under the row's epoch. Where the cell has seen that epoch, it takes a new one instead, and the next
 * tick opens the fence. `called`: the workers have their jobs, and need the machine for their first batches.
 */
export async function openFence(
  context: EngineContext,
  row: FenceRow,
  state: 'open' | 'verifying',
  reason: string,
): Promise<StepOutcome> {
  const reading = await readCell(() => context.cells.get(row.id), { runId: null });
  if (reading.kind !== 'read' || row.runId === null || row.settings === null) return 'nothing';
  const { epoch: seen } = reading.fence;
  if (row.epoch === null || row.epoch <= seen) {
    const taken = await takeNewEpoch(context, { dataCenter: row.id, seen, reason }, (tx, epoch) =>
      transitionDataCenter(tx, row, { epoch, fenceConfirmedClosed: false }),
    );
    return taken ? 'moved' : 'nothing';
  }
  if (!(await openInCell(context, row, state, row.epoch))) return 'nothing';
  return needsWorkersAtOnce(state, row.settings) ? 'called' : 'moved';
}

async function openInCell(
  context: EngineContext,
  row: FenceRow,
  state: 'open' | 'verifying',
  epoch: bigint,
): Promise<boolean> {
  const { id, runId, settings } = row;
  if (runId === null || settings === null) return false;
  const atOnce = needsWorkersAtOnce(state, settings);
  let called: Promise<void> | undefined;
  try {
    return await withExclusiveFence(context.cells.get(id), async (tx) => {
      const fence = await readFence(tx);
      if (fence.epoch >= epoch) return fence.epoch === epoch && fence.state === state;
      // before the commit: the workers wait at the lock, and begin when it is released
      if (atOnce) called = callWorkers(context, { dataCenter: id, epoch, lanes: settings.lanes });
      // what was verified before a failover may be gone
      if (state === 'verifying' && fence.timeline !== fence.currentTimeline) await clearVerification(tx, runId);
      await prepareRun(tx, runId, row.planId, settings);
      await saveFenceClosed(tx, null);
      await setFence(tx, { state, epoch, runId });
      if (atOnce) await cutFirstRanges(tx, runId);
      return true;
    });
  } finally {
    await called;
  }
}

/** A run that follows a plan has its ranges already, and begins with its canary alone. */
const needsWorkersAtOnce = (state: 'open' | 'verifying', { pin }: RunSettings): boolean =>
  state === 'open' && pin === 'none';

/** The lanes come first: the first ranges are cut with the fence, and a worker may have no more places than lanes. */
function callWorkers(
  { wakeUps }: EngineContext,
  { dataCenter, epoch, lanes }: { readonly dataCenter: string; readonly epoch: bigint; readonly lanes: number },
): Promise<void> {
  return wakeUps.enqueue(dataCenter, [...Array.from({ length: lanes }, () => 'apply' as const), 'cut'], epoch);
}

async function prepareRun(
  tx: CellTransaction,
  runId: bigint,
  planName: string | null,
  settings: RunSettings,
): Promise<void> {
  const planId = planName === null ? null : (parsePlanName(planName)?.number ?? null);
  await insertRun(tx, {
    runId,
    kind: 'migrate',
    ...settings,
    planId: settings.pin === 'none' ? null : planId,
    rails: settings.guardRails,
  });
  await reopenRun(tx, runId);
  await activateCard(tx, settings.cardHash);
}

/**
 * Closes the fence at the row's epoch, and records it in control. False: a batch still holds it, or another was faster.
 */
export async function closeFence(
  context: EngineContext,
  row: DataCenterVersion & RolloutRun & Pick<RolloutPosition, 'stage'>,
  reason: string,
): Promise<boolean> {
  const closed = await withExclusiveFence(context.cells.get(row.id), async (tx) => {
    const epoch = row.epoch ?? 0n;
    // this step came late: the fence was opened under a newer epoch, which is for other steps to close
    if (SLOT_STAGES.includes(row.stage) && (await readFence(tx)).epoch > epoch) return true;
    await saveFenceClosed(tx, null, epoch);
    // also behind a fence that was closed already: the change feed wrote there
    await stopSingleWrites(tx);
    return true;
  });
  if (!closed) return false;
  return context.control.inTransaction(async (tx) => {
    const moved = await transitionDataCenter(tx, row, { fenceConfirmedClosed: true, singleWrites: false });
    if (moved)
      await appendAudit(tx, { actor: context.actor, action: 'close_fence', dataCenter: row.id, reason, ...ofRun(row) });
    return moved;
  });
}
