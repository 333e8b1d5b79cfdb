// The fence of a cell for a maintenance run: opened under an epoch that is new to the cell, and shut at it. A crash between
// control and the cell is finished by the next tick.
import type { MaintenanceRun } from '../../domain/rollout/snapshot.js';
import type { FenceState } from '../../stores/cell/batch/fence.js';
import { lockFenceExclusive, readFence, saveFenceClosed, setFence } from '../../stores/cell/batch/fence.js';
import { findCell } from '../../stores/cell/identity.js';
import { insertMaintenance } from '../../stores/cell/reconcile/maintenance.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { acceptsFalls } from '../../stores/control/reconcile-requests.js';
import { readReconcile, takeEpoch } from '../../stores/control/rollout.js';
import { raiseRunEpoch, saveRunClosed } from '../../stores/control/runs.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';

/** The fence of a cell and the card that it decides with, for an epoch above what it has seen. */
export async function readFenceOf(
  context: EngineContext,
  dataCenter: string,
): Promise<{ readonly epoch: bigint; readonly state: FenceState; readonly activeCard: string | null }> {
  return context.cells.get(dataCenter).inTransaction('fencer', async (tx) => {
    const { epoch, state } = await readFence(tx);
    return { epoch, state, activeCard: (await findCell(tx))?.activeCard ?? null };
  });
}

/** Opens the fence for the run, under an epoch that is new to the cell; false: look again at the next tick. */
export async function openMaintenance(
  context: EngineContext,
  row: DataCenterRow,
  open: MaintenanceRun,
): Promise<boolean> {
  const seen = await readFenceOf(context, row.id);
  const used = open.epoch <= seen.epoch && !(open.epoch === seen.epoch && seen.state === 'open');
  // the new epoch is in control before the cell sees it: a crash in between is finished by the next tick
  if (used) return takeNewEpoch(context, row, open, seen.epoch);
  const { settings, falls } = await context.control.inTransaction(async (tx) => ({
    settings: await readReconcile(tx),
    falls: (await acceptsFalls(tx, open.runId)) ? ('accepted' as const) : ('within_limits' as const),
  }));
  return retrying(() =>
    context.cells.get(row.id).inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      const fence = await readFence(tx);
      if (fence.epoch >= open.epoch) return fence.epoch === open.epoch && fence.state === 'open';
      await insertMaintenance(tx, {
        runId: open.runId,
        kind: open.kind,
        batchSize: row.settings?.batchSize ?? 10_000,
        lanes: row.settings?.lanes ?? 1,
        maxChanged: settings?.maxChanged ?? null,
        maxLapsed: settings?.maxLapsed ?? null,
        falls,
      });
      await setFence(tx, { state: 'open', epoch: open.epoch, runId: open.runId });
      return true;
    }),
  );
}

async function takeNewEpoch(
  context: EngineContext,
  { id }: DataCenterRow,
  open: MaintenanceRun,
  seen: bigint,
): Promise<boolean> {
  return context.control.inTransaction(async (tx) => {
    const epoch = await takeEpoch(tx, seen);
    const raised = await raiseRunEpoch(tx, open, epoch);
    const { actor } = context;
    if (raised) await appendAudit(tx, { actor, action: 'open_fence', dataCenter: id, runId: open.runId, epoch });
    return raised;
  });
}

/**
 * Shuts the fence at the run's epoch: from then on nothing of it can commit. Then control remembers it, together with the
 * audit row: until it does, this is done again, so neither is lost nor written twice.
 */
export async function closeMaintenance(
  context: EngineContext,
  row: DataCenterRow,
  { runId, epoch }: MaintenanceRun,
  reason: string,
): Promise<boolean> {
  const closed = await retrying(() =>
    context.cells.get(row.id).inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      const fence = await readFence(tx);
      // woken late: a newer epoch is for others to close
      if (fence.epoch > epoch && fence.state !== 'closed') return false;
      await saveFenceClosed(tx, null, epoch);
      return true;
    }),
  );
  if (!closed) return false;
  const { actor } = context;
  return context.control.inTransaction(async (tx) => {
    const first = await saveRunClosed(tx, { runId, epoch });
    if (first) await appendAudit(tx, { actor, action: 'close_fence', dataCenter: row.id, runId, epoch, reason });
    return first;
  });
}

/** A fence that is held is waited for at the next tick. */
const retrying = async (act: () => Promise<boolean>): Promise<boolean> => {
  try {
    return await act();
  } catch (error) {
    if (classifyFailure(error).kind === 'retry') return false;
    throw error;
  }
};
