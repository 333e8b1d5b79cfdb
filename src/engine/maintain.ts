// Carries out the steps of a maintenance run: the slot and the epoch in control, the fence in the cell. Every step may run
// twice, and a crash between any two of them is finished by the next tick.
import { decideEnd } from '../domain/calendar/due-work.js';
import type { MaintenanceRun } from '../domain/rollout/snapshot.js';
import type { FenceState } from '../stores/cell/fence.js';
import { closeFence, lockFenceExclusive, readFence, setFence } from '../stores/cell/fence.js';
import { findCell } from '../stores/cell/identity.js';
import { beginPass, findMaintenance, insertMaintenance } from '../stores/cell/maintenance.js';
import { endRun } from '../stores/cell/runs.js';
import { appendAudit } from '../stores/control/audit.js';
import type { ControlTransaction } from '../stores/control/control-database.js';
import { type DataCenterRow, transitionDataCenter } from '../stores/control/data-centers.js';
import { endDueWork, findNightOfRun, startDueWork } from '../stores/control/due-work.js';
import {
  acceptsFalls,
  endRequest,
  listMaintenance,
  type MaintenanceRow,
  raiseRunEpoch,
  takeRequest,
} from '../stores/control/maintenance.js';
import { readReconcile, takeEpoch } from '../stores/control/rollout.js';
import { endControlRun, insertControlRun } from '../stores/control/runs.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import type { EngineContext } from './context.js';

/** Takes the slot for a night, a request or a sweep; false when it is taken, or somebody else was faster. */
export async function startMaintenance(
  context: EngineContext,
  row: DataCenterRow,
  kind: MaintenanceRun['kind'],
  reason: string,
): Promise<boolean> {
  const seen = await readFenceOf(context, row.id);
  try {
    return await context.control.inTransaction(async (tx) => {
      const { night, request } = (await listMaintenance(tx))(row.id);
      const runId = await takeEpoch(tx, seen.epoch);
      await insertControlRun(tx, {
        runId,
        dataCenter: row.id,
        kind,
        cardHash: seen.activeCard ?? '',
        planId: null,
        requestedBy: kind === 'reconcile' && night === null ? (request?.requestedBy ?? null) : null,
        reason: kind === 'reconcile' && night === null ? (request?.reason ?? null) : reason,
      });
      if (kind === 'reconcile') await takeWhatIsDue(tx, row.id, runId, { night, request });
      // opening the fence stops the change feed
      if (!(await transitionDataCenter(tx, row, { singleWrites: false }))) throw new Outrun();
      await appendAudit(tx, { actor: context.actor, action: kind, dataCenter: row.id, runId, epoch: runId, reason });
      return true;
    });
  } catch (error) {
    // the slot's unique index, or another scheduler: nothing was written
    if (error instanceof Outrun || classifyFailure(error).kind === 'duplicate') return false;
    throw error;
  }
}

/** Another scheduler took the night, or the request, since it was read. */
class Outrun extends Error {}

async function takeWhatIsDue(
  tx: ControlTransaction,
  dataCenter: string,
  runId: bigint,
  { night, request }: Pick<MaintenanceRow, 'night' | 'request'>,
): Promise<void> {
  if (night !== null && !(await startDueWork(tx, { dataCenter, localDate: night.localDate, runId })))
    throw new Outrun();
  // what was asked for is part of the night
  if (request !== null && !(await takeRequest(tx, request.requestId, runId))) throw new Outrun();
  if (night === null && request === null) throw new Outrun();
}

async function readFenceOf(
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
  if (used)
    return context.control.inTransaction(async (tx) => raiseRunEpoch(tx, open, await takeEpoch(tx, seen.epoch)));
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

/** Shuts the fence at the run's epoch: from then on nothing of it can commit. */
export async function closeMaintenance(
  context: EngineContext,
  row: DataCenterRow,
  open: MaintenanceRun,
): Promise<boolean> {
  return retrying(() =>
    context.cells.get(row.id).inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      // woken late: a newer epoch is for others to close
      if ((await readFence(tx)).epoch > open.epoch) return false;
      await closeFence(tx, null, open.epoch);
      return true;
    }),
  );
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

/** A sweep looks once more. */
export async function sweepAgain(context: EngineContext, row: DataCenterRow, open: MaintenanceRun): Promise<boolean> {
  await context.cells.get(row.id).inTransaction('fencer', (tx) => beginPass(tx, open.runId));
  return true;
}

/** Ends the run in the cell first, then in control with its counts; gives the slot back. */
export async function endMaintenance(
  context: EngineContext,
  row: DataCenterRow,
  open: MaintenanceRun,
  end: { readonly state: 'done' | 'failed'; readonly reason: string },
): Promise<boolean> {
  const counts = await context.cells.get(row.id).inTransaction('fencer', async (tx) => {
    await endRun(tx, open.runId, end.state);
    return countRun(tx, open);
  });
  return context.control.inTransaction(async (tx) => {
    if (!(await endControlRun(tx, open.runId, end.state, counts))) return false;
    const night = await findNightOfRun(tx, open.runId);
    if (night !== undefined)
      await endDueWork(tx, open.runId, {
        state: end.state === 'done' ? decideEnd(night.dueAt, night.startedAt) : 'missed',
        note: end.state === 'done' ? null : end.reason,
        counts,
      });
    await endRequest(tx, open.runId);
    await appendAudit(tx, {
      actor: context.actor,
      action: `end_${open.kind}`,
      dataCenter: row.id,
      runId: open.runId,
      reason: end.reason,
      details: { state: end.state, ...counts },
    });
    return true;
  });
}
