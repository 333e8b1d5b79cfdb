// Opens a cell's fence for a run, or for its verification, under an epoch that is new to the cell.
import { SLOT_STAGES } from '../../domain/rollout/stage.js';
import { lockFenceExclusive, readFence, saveFenceClosed, setFence } from '../../stores/cell/batch/fence.js';
import { activateCard, insertRun, reopenRun } from '../../stores/cell/batch/runs.js';
import { clearVerification } from '../../stores/cell/batch/verification.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { stopSingleWrites } from '../../stores/cell/reconcile/maintenance.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type DataCenterRow, type RunSettings, transitionDataCenter } from '../../stores/control/data-centers.js';
import { takeEpoch } from '../../stores/control/rollout.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { cutFirstRanges } from '../batch/cut-ranges.js';
import type { EngineContext } from '../context.js';
import { parsePlanName } from '../plan/plan-id.js';
import { ofRun } from './advance-stage.js';
import { readCell } from './read-cell.js';

/**
 * Opens it under the row's epoch, or under a new one where the cell has seen that. `called`: workers are on their way, and
 * need the machine for their first batches; `nothing`: another scheduler was faster, or a batch still holds the fence.
 */
export async function openFence(
  context: EngineContext,
  row: DataCenterRow,
  state: 'open' | 'verifying',
  reason: string,
): Promise<StepOutcome> {
  const reading = await readCell(() => context.cells.get(row.id), { runId: null });
  if (reading.kind !== 'read' || row.runId === null || row.settings === null) return 'nothing';
  const unused = row.epoch !== null && row.epoch > reading.fence.epoch;
  // the new epoch is in control before the cell sees it: a crash in between is finished by the next tick
  if (!unused) return (await takeNewEpoch(context, row, reading.fence.epoch, reason)) ? 'moved' : 'nothing';
  const opened = await openInCell(context, row, state, row.epoch);
  if (!opened) return 'nothing';
  return callsWorkers(state, row.settings) ? 'called' : 'moved';
}

async function takeNewEpoch(
  context: EngineContext,
  row: DataCenterRow,
  seen: bigint,
  reason: string,
): Promise<boolean> {
  return context.control.inTransaction(async (tx) => {
    const epoch = await takeEpoch(tx, seen);
    const moved = await transitionDataCenter(tx, row, { epoch, quiet: false });
    if (moved) await appendAudit(tx, { actor: context.actor, action: 'open_fence', dataCenter: row.id, epoch, reason });
    return moved;
  });
}

async function openInCell(
  context: EngineContext,
  row: DataCenterRow,
  state: 'open' | 'verifying',
  epoch: bigint,
): Promise<boolean> {
  const { id, runId, settings } = row;
  if (runId === null || settings === null) return false;
  const cuts = callsWorkers(state, settings);
  let called: Promise<void> | undefined;
  try {
    return await context.cells.get(id).inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      const fence = await readFence(tx);
      if (fence.epoch >= epoch) return fence.epoch === epoch && fence.state === state;
      // before the commit: they wait at the lock, and begin as it is let go
      if (cuts) called = callWorkers(context, { dataCenter: id, epoch, lanes: settings.lanes });
      // what was verified before a failover may be gone
      if (state === 'verifying' && fence.timeline !== fence.currentTimeline) await clearVerification(tx, runId);
      await prepareRun(tx, runId, row.planId, settings);
      await saveFenceClosed(tx, null);
      await setFence(tx, { state, epoch, runId });
      if (cuts) await cutFirstRanges(tx, runId);
      return true;
    });
  } catch (error) {
    if (classifyFailure(error).kind === 'retry') return false;
    throw error;
  } finally {
    await called;
  }
}

/** A pinned run has its ranges, and begins with its canary alone. */
const callsWorkers = (state: 'open' | 'verifying', { pin }: RunSettings): boolean => state === 'open' && pin === 'none';

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

// Shuts the fence of a run, and says so in control.

/**
 * Takes the fence exclusively and shuts it at our epoch: from then on nothing of this run can commit. False while a batch
 * still holds it.
 */
export async function closeFence(context: EngineContext, row: DataCenterRow, reason: string): Promise<boolean> {
  try {
    await context.cells.get(row.id).inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      // woken late: the fence has gone on under a newer epoch, which is for others to close
      const outrun = SLOT_STAGES.includes(row.stage) && (await readFence(tx)).epoch > (row.epoch ?? 0n);
      if (outrun) return;
      await saveFenceClosed(tx, null, row.epoch ?? 0n);
      // of a fence that was shut already, too: the change feed wrote behind it
      await stopSingleWrites(tx);
    });
  } catch (error) {
    if (classifyFailure(error).kind !== 'retry') throw error;
    return false;
  }
  return context.control.inTransaction(async (tx) => {
    const moved = await transitionDataCenter(tx, row, { quiet: true, singleWrites: false });
    if (moved)
      await appendAudit(tx, { actor: context.actor, action: 'close_fence', dataCenter: row.id, reason, ...ofRun(row) });
    return moved;
  });
}

// What a scheduler learns from a step that it has carried out.

/**
 * What came of a step. `nothing`: somebody else was faster, or something must be waited for. `called`: taken, and nothing more
 * is due before those who were called have worked.
 */
export type StepOutcome = 'nothing' | 'moved' | 'called';
