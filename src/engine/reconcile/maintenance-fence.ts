// The fence of a cell for a maintenance run: a reconciliation or a sweep. It opens under an epoch that is new to the
// cell, and is closed at that epoch. When a process dies between control and the cell, the next tick finishes the work.
import type { MaintenanceRun } from '../../domain/rollout/snapshot.js';
import type { Fence } from '../../stores/cell/batch/fence.js';
import { readFence, saveFenceClosed, setFence } from '../../stores/cell/batch/fence.js';
import { findCell } from '../../stores/cell/identity.js';
import { openSealedMaintenance } from '../../stores/cell/reconcile/maintenance.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { raiseRunEpoch, saveRunClosed } from '../../stores/control/runs.js';
import { sealMaintenance } from '../../stores/control/seals.js';
import type { EngineContext } from '../context.js';
import { endForgottenRuns } from '../end-forgotten-runs.js';
import { withExclusiveFence } from '../exclusive-fence.js';
import { takeNewEpoch } from '../new-epoch.js';

/** The fence of a cell, and the card that it decides with. A new epoch must be above the fence's. */
export async function readFenceOf(
  context: EngineContext,
  dataCenter: string,
): Promise<Pick<Fence, 'epoch' | 'state' | 'sameServer'> & { readonly activeCard: string | null }> {
  return context.cells.get(dataCenter).inTransaction('fencer', async (tx) => {
    const { epoch, state, sameServer } = await readFence(tx);
    return { epoch, state, sameServer, activeCard: (await findCell(tx))?.activeCard ?? null };
  });
}

/**
 * Opens the fence for the run. Where the cell has seen the run's epoch, takes a new one. False: try again at the next
 * tick.
 */
export async function openMaintenance(
  context: EngineContext,
  row: Pick<DataCenterRow, 'id'>,
  open: MaintenanceRun,
): Promise<boolean> {
  const seen = await readFenceOf(context, row.id);
  const isOpen = seen.state === 'open' && seen.sameServer;
  const used = open.epoch <= seen.epoch && !(open.epoch === seen.epoch && isOpen);
  if (used)
    return takeNewEpoch(context, { dataCenter: row.id, seen: seen.epoch, runId: open.runId }, (tx, epoch) =>
      raiseRunEpoch(tx, open, epoch),
    );
  const seal = await context.control.inTransaction((tx) => sealMaintenance(tx, open.runId));
  if (seal === undefined) return false;
  await endForgottenRuns(context, row.id);
  return withExclusiveFence(context.cells.get(row.id), async (tx) => {
    const fence = await readFence(tx);
    if (fence.epoch >= open.epoch) return fence.epoch === open.epoch && fence.state === 'open';
    await openSealedMaintenance(tx, seal);
    await setFence(tx, { state: 'open', epoch: open.epoch, runId: open.runId });
    return true;
  });
}

/**
 * Closes the fence at the run's epoch: from then on nothing of the run can commit. Then control records it together
 * with the audit row; until it has, the next tick does both again, so neither is lost nor written twice.
 */
export async function closeMaintenance(
  context: EngineContext,
  row: Pick<DataCenterRow, 'id'>,
  { runId, epoch }: MaintenanceRun,
  reason: string,
): Promise<boolean> {
  const closed = await withExclusiveFence(context.cells.get(row.id), async (tx) => {
    const fence = await readFence(tx);
    // this step came late: a newer epoch is for other steps to close
    if (fence.epoch > epoch && fence.state !== 'closed') return false;
    await saveFenceClosed(tx, null, epoch);
    return true;
  });
  if (!closed) return false;
  return context.control.inTransaction(async (tx) => {
    const first = await saveRunClosed(tx, { runId, epoch });
    if (first) await appendAudit(tx, { action: 'close_fence', dataCenter: row.id, runId, epoch, reason });
    return first;
  });
}
