// Carries out one decided step: compare-and-set in control, the fence in the cell. Every step may run twice.

import type { Step } from '../domain/rollout/decide-step.js';
import { SLOT_STAGES, type Stage } from '../domain/rollout/stage.js';
import { assertNever } from '../kernel/assert-never.js';
import type { CellTransaction } from '../stores/cell/cell-database.js';
import { closeFence, lockFenceExclusive, readFence } from '../stores/cell/fence.js';
import { stopSingleWrites } from '../stores/cell/maintenance.js';
import { readProgress } from '../stores/cell/progress.js';
import { addFollowUp, endRun, passCanary } from '../stores/cell/runs.js';
import { appendAudit } from '../stores/control/audit.js';
import type { ControlTransaction } from '../stores/control/control-database.js';
import { type DataCenterChange, type DataCenterRow, transitionDataCenter } from '../stores/control/data-centers.js';
import { endControlRun } from '../stores/control/runs.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import { activate } from './activate.js';
import { admitPlan } from './admit-plan.js';
import type { EngineContext } from './context.js';
import { endMaintenance, sweepAgain } from './end-maintenance.js';
import { closeMaintenance, openMaintenance } from './fence-maintenance.js';
import { openFence } from './open-fence.js';
import { requestPlanOf } from './request-plan.js';
import { startMaintenance } from './start-maintenance.js';
import type { StepOutcome } from './step-outcome.js';
import { switchSingleWrites } from './switch-single-writes.js';
import { tendGate } from './tend-gate.js';

/** Carries out `step` at control's `now`. After `moved` more may be due at once, else at the next tick. */
export async function carryOutStep(
  context: EngineContext,
  row: DataCenterRow,
  step: Step,
  now: Date,
): Promise<StepOutcome> {
  if (step.kind === 'open_fence') return openFence(context, row, step.state, step.reason);
  return (await carryOut(context, row, step, now)) ? 'moved' : 'nothing';
}

async function carryOut(
  context: EngineContext,
  row: DataCenterRow,
  step: Exclude<Step, { kind: 'open_fence' }>,
  now: Date,
): Promise<boolean> {
  switch (step.kind) {
    case 'request_plan':
      return requestPlanOf(context, row);
    case 'register_plan':
      return admitPlan(context, row, step.planId);
    case 'pass_canary':
      return inCell(context, row, (tx, runId) => passCanary(tx, runId));
    case 'follow_up':
      return inCell(context, row, (tx, runId) => addFollowUp(tx, runId));
    case 'activate':
      return activate(context, row, step.reason);
    case 'close_fence':
      return shutFence(context, row, step.reason);
    case 'advance':
      return advance(context, row, step.to, step.reason, now);
    case 'fail':
      return end(context, row, { stage: 'failed', failure: step.code }, 'failed', step.reason);
    case 'ring':
      // a plan is made before the data center has its first epoch
      await context.bells.ring(row.id, step.job, step.epoch ?? row.epoch ?? 0n, step.want);
      return false;
    case 'arm_gate':
    case 'disarm_gate':
    case 'latch_gate':
      return tendGate(context, row, step);
    case 'allow_single_writes':
    case 'stop_single_writes':
      return switchSingleWrites(context, row, step);
    case 'start_maintenance':
      return startMaintenance(context, row, step.of, step.reason);
    case 'open_maintenance':
      return openMaintenance(context, row, step.run);
    case 'close_maintenance':
      return closeMaintenance(context, row, step.run, step.reason);
    case 'sweep_again':
      return sweepAgain(context, row, step.run);
    case 'end_maintenance':
      return endMaintenance(context, row, step.run, step);
    default:
      return assertNever(step);
  }
}

/** A change of the run in its cell, which is read again at the next look. */
async function inCell(
  context: EngineContext,
  { id, runId }: DataCenterRow,
  change: (tx: CellTransaction, runId: bigint) => Promise<unknown>,
): Promise<boolean> {
  if (runId === null) return false;
  await context.cells.get(id).inTransaction('fencer', (tx) => change(tx, runId));
  return true;
}

/** Takes the fence exclusively and shuts it at our epoch: from then on nothing of this run can commit. */
async function shutFence(context: EngineContext, row: DataCenterRow, reason: string): Promise<boolean> {
  try {
    await context.cells.get(row.id).inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      // woken late: the fence has gone on under a newer epoch, which is for others to close
      const outrun = SLOT_STAGES.includes(row.stage) && (await readFence(tx)).epoch > (row.epoch ?? 0n);
      if (outrun) return;
      await closeFence(tx, null, row.epoch ?? 0n);
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

const ofRun = (row: DataCenterRow): { runId?: bigint; epoch?: bigint } => ({
  ...(row.runId !== null && { runId: row.runId }),
  ...(row.epoch !== null && { epoch: row.epoch }),
});

async function advance(
  context: EngineContext,
  row: DataCenterRow,
  to: Stage,
  reason: string,
  now: Date,
): Promise<boolean> {
  if (to === 'aborted') return end(context, row, { stage: 'aborted' }, 'aborted', reason);
  if (to === 'baking') {
    const bakeUntil = new Date(now.getTime() + (row.settings?.bakeMs ?? 0));
    return end(context, row, { stage: 'baking', verifiedAt: now, bakeUntil }, 'done', reason);
  }
  const first = to === 'done' && row.doneAt === null ? { doneAt: now } : {};
  return move(context, row, { stage: to, ...first, ...(SLOT_STAGES.includes(to) ? {} : { quiet: true }) }, reason);
}

async function move(
  context: EngineContext,
  row: DataCenterRow,
  change: DataCenterChange,
  reason: string,
): Promise<boolean> {
  return context.control.inTransaction((tx) => recordMove(context, tx, row, change, reason));
}

/** The compare-and-set of a stage and its audit row; false when somebody else was faster. */
async function recordMove(
  context: EngineContext,
  tx: ControlTransaction,
  row: DataCenterRow,
  change: DataCenterChange,
  reason: string,
): Promise<boolean> {
  if (!(await transitionDataCenter(tx, row, change))) return false;
  const details = { from: row.stage, to: change.stage, ...(change.failure && { failure: change.failure }) };
  const { actor } = context;
  await appendAudit(tx, { actor, action: 'transition', dataCenter: row.id, reason, details, ...ofRun(row) });
  return true;
}

/** Ends the run in the cell first, so that control never says more than the cell does. */
async function end(
  context: EngineContext,
  row: DataCenterRow,
  change: DataCenterChange & { readonly stage: Stage },
  state: 'done' | 'failed' | 'aborted',
  reason: string,
): Promise<boolean> {
  const { runId } = row;
  const counts = runId === null || row.stage === 'baking' ? null : await endInCell(context, row.id, runId, state);
  return context.control.inTransaction(async (tx) => {
    if (!(await recordMove(context, tx, row, { ...change, quiet: true, requestedAt: null }, reason))) return false;
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
    const {
      recent: _,
      lastDoneAt: __,
      idleMs: ___,
      cut: ____,
      canary: _____,
      followedUp: ______,
      ...counts
    } = await readProgress(tx, runId);
    return counts;
  });
}
