// One tick of a scheduler: reads a snapshot, decides, executes the steps, and begins again; ends when nothing more is
// due.
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { decideDataCenter } from '../../domain/rollout/decide-data-center.js';
import type { Step } from '../../domain/rollout/decision.js';
import type { DataCenterSnapshot } from '../../domain/rollout/snapshot.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { recordLostApprovals } from '../../stores/control/approvals.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { deleteFailedSteps, saveFailedStep } from '../../stores/control/failed-steps.js';
import { saveSchedulerSeen } from '../../stores/control/schedulers.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { findPolicyDifferences } from '../settings/compare-policy.js';
import { executeStep } from './execute-step.js';
import { readSnapshot } from './read-snapshot.js';
import { recordDueWork } from './record-due-work.js';

/** More than any chain of steps needs; the next tick continues. */
const MAX_STEPS_PER_TICK = 40;

/** A scheduler that runs; `config`: what its process was started with. */
export interface SchedulerIdentity {
  readonly schedulerId: string;
  readonly config?: RolloutConfig | undefined;
  /** The code of its last use of the queue; null: it succeeded. */
  readonly queueError?: (() => string | null) | undefined;
  /** The code of its last tick; null: it ended. */
  readonly tickError?: (() => string | null) | undefined;
}

/** Takes every step that is due now. Safe to run in several schedulers at once. Returns how many steps were taken. */
export async function tick(context: EngineContext, scheduler?: SchedulerIdentity): Promise<number> {
  if (scheduler !== undefined) await recordSeen(context, scheduler);
  let taken = 0;
  for (let round = 0; round < MAX_STEPS_PER_TICK; round += 1) {
    const moved = await takeDueSteps(context);
    if (moved === 0) return taken;
    taken += moved;
  }
  return taken;
}

/**
 * What somebody approved who has lost the right to is void from now on, also if the right comes back.
 *
 * Every setting that judges comes from the policy, so a scheduler goes on whatever its configuration writes: it must
 * not stop the nights and cut-overs of a fleet. Where they differ, the row shows it to people.
 */
async function recordSeen(
  { control }: EngineContext,
  { schedulerId, config, queueError, tickError }: SchedulerIdentity,
): Promise<void> {
  await control.inTransaction(async (tx) => {
    const differences = config === undefined ? [] : await findPolicyDifferences(tx, config);
    const differs = differences.map(({ name }) => name);
    const errors = { queueError: queueError?.() ?? null, tickError: tickError?.() ?? null };
    await saveSchedulerSeen(tx, schedulerId, { differs, ...errors });
    const voided = await recordLostApprovals(tx);
    if (voided > 0) await appendAudit(tx, { action: 'void_lost_approvals', details: { approvals: voided } });
  });
}

async function takeDueSteps(context: EngineContext): Promise<number> {
  const snapshot = await readSnapshot(context, 'due');
  const decided = snapshot.dataCenters.flatMap((dc) => {
    const row = snapshot.rows.get(dc.id);
    return row === undefined ? [] : [{ dc, row, ...decideDataCenter(snapshot, dc) }];
  });
  const written = await recordDueWork(context, decided, snapshot.now);
  // a reconciliation that is due now is a step of the next round
  if (written > 0) return written;
  for (const { dc, row, steps } of decided) {
    let moved = 0;
    const succeeded: Step['kind'][] = [];
    for (const step of steps) {
      const outcome = await attempt(context, row, step, snapshot.now);
      if (outcome !== 'failed') succeeded.push(step.kind);
      if (outcome === 'moved') moved += 1;
    }
    await clearFailures(context, dc, { steps, succeeded });
    // a step changes what the later data centers may do: read again before deciding on them
    if (moved > 0) return moved;
  }
  return 0;
}

type StepOutcome = 'moved' | 'waits' | 'failed';

/** A step that fails never stops the scheduler: its code is recorded, and the next tick tries again. */
async function attempt(context: EngineContext, row: DataCenterRow, step: Step, now: Date): Promise<StepOutcome> {
  try {
    const done = await executeStep(context, row, step, now);
    if (done) context.log.info('step', { data_center: row.id, step: step.kind, reason: step.reason });
    return done ? 'moved' : 'waits';
  } catch (error) {
    const failure = classifyFailure(error);
    const code = isRolloutError(error) ? error.code : (failure.sqlstate ?? failure.kind);
    context.log.warn('step_failed', { data_center: row.id, step: step.kind, code, object: failure.ours });
    const failed = { step: step.kind, code, object: failure.ours ?? null };
    await context.control.inTransaction((tx) => saveFailedStep(tx, row.id, failed)).catch(() => undefined);
    return 'failed';
  }
}

/** What succeeded, or is not due any more, has failed before for the last time. */
async function clearFailures(
  { control }: Pick<EngineContext, 'control'>,
  { id, failedSteps }: Pick<DataCenterSnapshot, 'id' | 'failedSteps'>,
  { steps, succeeded }: { readonly steps: readonly Step[]; readonly succeeded: readonly Step['kind'][] },
): Promise<void> {
  const due = new Set<string>(steps.map(({ kind }) => kind));
  const over = failedSteps
    .map(({ step }) => step)
    .filter((step) => !due.has(step) || succeeded.some((kind) => kind === step));
  if (over.length > 0) await control.inTransaction((tx) => deleteFailedSteps(tx, id, over)).catch(() => undefined);
}
