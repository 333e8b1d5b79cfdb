// Executes one decided step: a compare-and-set in control, the fence in the cell. Every step may run twice.
import type { Step } from '../../domain/rollout/decide-rollout.js';
import { assertNever } from '../../kernel/assert-never.js';
import { changeChecks } from '../../stores/cell/batch/checks.js';
import { addFollowUp, passCanary, saveLanes } from '../../stores/cell/batch/runs.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { sealOpenChecks } from '../../stores/control/seals.js';
import type { EngineContext } from '../context.js';
import { applyGateStep } from '../cutover/apply-gate-step.js';
import { switchSingleWrites } from '../feed/switch-single-writes.js';
import { registerPlanFromCell } from '../plan/register-plan.js';
import { requestPlanOf } from '../plan/request-plan.js';
import { endMaintenance, sweepAgain } from '../reconcile/end-maintenance.js';
import { closeMaintenance, openMaintenance } from '../reconcile/maintenance-fence.js';
import { startMaintenance } from '../reconcile/start-maintenance.js';
import { advanceStage, endStage } from '../rollout/advance-stage.js';
import { endPause } from '../rollout/end-pause.js';
import { closeFence, openFence } from '../rollout/open-fence.js';
import { activate } from '../rollout/start-run.js';
import { dropUndo, startUndo } from '../undo/start-undo.js';

/** Executes `step` at control's `now`. True: it is done, and more may be due at once; else at the next tick. */
export async function executeStep(context: EngineContext, row: DataCenterRow, step: Step, now: Date): Promise<boolean> {
  switch (step.kind) {
    case 'request_plan':
      return requestPlanOf(context, row);
    case 'register_plan':
      return registerPlanFromCell(context, row, step.planId);
    case 'pass_canary':
      return inCell(context, row, (tx, runId) => passCanary(tx, runId));
    case 'follow_up':
      return inCell(context, row, (tx, runId) => addFollowUp(tx, runId));
    case 'activate':
      return activate(context, row, step.reason);
    case 'open_fence':
      return openFence(context, row, step.state, step.reason);
    case 'close_fence':
      return closeFence(context, row, step.reason);
    case 'advance':
      return advanceStage(context, row, step.to, step.reason, now);
    case 'set_lanes':
      await context.cells.get(row.id).inTransaction('fencer', (tx) => saveLanes(tx, step.lanes));
      return true;
    case 'set_checks':
      return setChecks(context, row, step.runId);
    case 'start_undo':
      return startUndo(context, row, step.reason);
    case 'drop_undo':
      return dropUndo(context, row.id, step.reason);
    case 'end_pause':
      return endPause(context, row, step.reason);
    case 'fail':
      return endStage(context, row, { stage: 'failed', failure: step.code }, 'failed', step.reason);
    case 'wake_workers':
      // a plan is made before the data center has its first epoch
      await context.wakeUps.request(row.id, step.job, step.epoch ?? row.epoch ?? 0n, step.want);
      return false;
    case 'arm_gate':
    case 'disarm_gate':
    case 'latch_gate':
      return applyGateStep(context, row, step);
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

/** As control seals them. False, since a cell that passes over the seal would be asked again at once. */
async function setChecks(context: EngineContext, { id }: Pick<DataCenterRow, 'id'>, runId: bigint): Promise<boolean> {
  const seal = await context.control.inTransaction((tx) => sealOpenChecks(tx, runId));
  if (seal !== undefined) await context.cells.get(id).inTransaction('fencer', (tx) => changeChecks(tx, seal));
  return false;
}

/** A change of the run in its cell, which the tick reads again before its next decision. */
async function inCell(
  context: EngineContext,
  { id, runId }: Pick<DataCenterRow, 'id' | 'runId'>,
  change: (tx: CellTransaction, runId: bigint) => Promise<unknown>,
): Promise<boolean> {
  if (runId === null) return false;
  await context.cells.get(id).inTransaction('fencer', (tx) => change(tx, runId));
  return true;
}
