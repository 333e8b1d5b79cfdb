// The fence of a cell for a maintenance run: a reconciliation or a sweep. It opens under an epoch that is new to the
// cell, and is closed at that epoch. When a process dies between control and the cell, the next tick finishes the work.
import type { MaintenanceRun } from '../../domain/rollout/snapshot.js';
import type { Fence } from '../../stores/cell/batch/fence.js';
import { readFence, saveFenceClosed, setFence } from '../../stores/cell/batch/fence.js';
import { type Gate, readGate } from '../../stores/cell/cutover/gate.js';
import { findCell } from '../../stores/cell/identity.js';
import { openSealedMaintenance } from '../../stores/cell/reconcile/maintenance.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { DataCenterVersion } from '../../stores/control/data-centers.js';
import { readRollout } from '../../stores/control/rollout.js';
import { raiseRunEpoch, saveRunClosed } from '../../stores/control/runs.js';
import { sealMaintenance } from '../../stores/control/seals.js';
import { readSealFailure } from '../../stores/seal.js';
import type { EngineContext } from '../context.js';
import { endForgottenRuns } from '../end-forgotten-runs.js';
import { withExclusiveFence } from '../exclusive-fence.js';
import { takeNewEpoch } from '../new-epoch.js';
import { endMaintenance } from './end-maintenance.js';

interface FenceOfCell extends Pick<Fence, 'epoch' | 'state' | 'sameServer'> {
  readonly activeCard: string | null;
  readonly gate: Gate;
}

/** The fence and the gate of a cell, and the card that it decides with. A new epoch must be above the fence's. */
export async function readFenceOf(context: EngineContext, dataCenter: string): Promise<FenceOfCell> {
  return context.cells.get(dataCenter).inTransaction('fencer', async (tx) => {
    const { epoch, state, sameServer } = await readFence(tx);
    const activeCard = (await findCell(tx))?.activeCard ?? null;
    return { epoch, state, sameServer, activeCard, gate: await readGate(tx) };
  });
}

/**
 * Opens the fence for the run. Where the cell has seen the run's epoch, takes a new one. What control does not seal, or
 * the cell does not accept, is given up: it would hold the slot of the whole fleet for ever. False: try again at the
 * next tick.
 */
export async function openMaintenance(
  context: EngineContext,
  row: DataCenterVersion,
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
  if (seal === undefined) return giveUp(context, row, open, 'not_sealed');
  await endForgottenRuns(context, row.id);
  try {
    return await withExclusiveFence(context.cells.get(row.id), async (tx) => {
      const fence = await readFence(tx);
      if (fence.epoch >= open.epoch) return fence.epoch === open.epoch && fence.state === 'open';
      await openSealedMaintenance(tx, seal);
      await setFence(tx, { state: 'open', epoch: open.epoch, runId: open.runId });
      return true;
    });
  } catch (error) {
    // of what this run is the cell says that it is done, or that nothing is to be swept
    if (readSealFailure(error) === 'seal_used') return giveUp(context, row, open, 'seal_used');
    throw error;
  }
}

/** Ends as failed a run that its cell can never open; what a fence is open for is closed first, at its own epoch. */
async function giveUp(
  context: EngineContext,
  row: DataCenterVersion,
  open: MaintenanceRun,
  code: 'not_sealed' | 'seal_used' | 'epoch_not_taken',
): Promise<boolean> {
  const closed = await withExclusiveFence(context.cells.get(row.id), async (tx) => {
    if ((await readFence(tx)).runId === open.runId) await saveFenceClosed(tx, null);
    return true;
  });
  return (
    closed && endMaintenance(context, row, open, { state: 'failed', reason: `the cell can never open it: ${code}` })
  );
}

/**
 * Closes the fence at the run's epoch: from then on nothing of the run can commit. Then control records it together
 * with the audit row; until it has, the next tick does both again, so neither is lost nor written twice. A run whose
 * epoch control never took is given up: no fence follows it.
 */
export async function closeMaintenance(
  context: EngineContext,
  row: DataCenterVersion,
  open: MaintenanceRun,
  reason: string,
): Promise<boolean> {
  const { runId, epoch } = open;
  if (epoch > (await context.control.inTransaction(readRollout)).epoch)
    return giveUp(context, row, open, 'epoch_not_taken');
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
