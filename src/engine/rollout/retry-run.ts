// Reopens a failed run under a new epoch: only what is pending, or only its verification.
import { adviseFitting } from '../../domain/rollout/fitting-verbs.js';
import { advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { readFence } from '../../stores/cell/batch/fence.js';
import { readProgress } from '../../stores/cell/batch/progress.js';
import { findRun } from '../../stores/cell/batch/runs.js';
import { clearVerification } from '../../stores/cell/batch/verification.js';
import { appendAudit } from '../../stores/control/audit.js';
import { lockDataCenter, transitionDataCenter } from '../../stores/control/data-centers.js';
import { takeEpoch } from '../../stores/control/rollout.js';
import { isUndoRun, reopenControlRun } from '../../stores/control/runs.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { rejectChanged, type SeenRevision } from '../data-center.js';

/**
 * Throws revision_changed, wrong_stage unless the data center failed, plan_unknown when its run follows no plan,
 * conflict when its canary would start again and the policy wants a person now, data_center_busy when another holds the
 * slot.
 */
export async function retryRun(
  context: EngineContext,
  dataCenter: string,
  reason: string | null,
  seen: SeenRevision = {},
): Promise<{ pending: number }> {
  try {
    const row = await context.control.inTransaction((tx) => lockDataCenter(tx, dataCenter));
    if (row !== undefined) rejectChanged(row, seen);
    if (row?.stage !== 'failed' || row.runId === null)
      throw new RolloutError('wrong_stage', {
        message: `Data center "${dataCenter}" has not failed (stage ${row?.stage ?? 'unknown'}): there is nothing to retry.`,
        ...(row && { next: adviseFitting(dataCenter, row) }),
      });
    const runId = row.runId;
    if (row.undoFailed || (await context.control.inTransaction((tx) => isUndoRun(tx, runId))))
      throw new RolloutError('wrong_stage', {
        message: `What failed in data center "${dataCenter}" is an undo; it is not retried.`,
        next: advise`Ask for it again: ${command`undo --dc ${dataCenter} --execute --reason TEXT`}`,
      });
    if (row.planId === null)
      throw new RolloutError('plan_unknown', {
        message: `The run ${runId} of data center "${dataCenter}" follows no plan, as an earlier version could begin it.`,
        next: advise`Run: ${command`abort --dc ${dataCenter}`}, then apply again.`,
      });
    const { pending, passed, epochSeen } = await context.cells.get(dataCenter).inTransaction('state', async (tx) => {
      const { epoch } = await readFence(tx);
      if ((await findRun(tx, runId)) === undefined) return { pending: 1, passed: false, epochSeen: epoch };
      await clearVerification(tx, runId);
      const { pending, canary } = await readProgress(tx, runId);
      return { pending, passed: canary.passed, epochSeen: epoch };
    });
    await context.control.inTransaction(async (tx) => {
      const stage = !passed ? 'canary' : pending > 0 ? 'migrating' : 'verifying';
      // a new epoch at once: under the old one the fence still has the code of the failure
      const epoch = await takeEpoch(tx, epochSeen);
      // first: the database lets a data center into its canary only for a run that is open
      await reopenControlRun(tx, runId);
      const moved = await transitionDataCenter(tx, row, {
        stage,
        epoch,
        intent: 'run',
        failure: null,
        fenceConfirmedClosed: false,
      });
      if (!moved)
        throw new RolloutError('conflict', { message: `Data center "${dataCenter}" was changed by somebody else.` });
      await appendAudit(tx, {
        action: 'retry',
        dataCenter,
        runId,
        epoch,
        reason,
        details: { pending, stage },
      });
    });
    await context.wakeUps.wakeSchedulers();
    return { pending };
  } catch (error) {
    const { kind, object } = classifyFailure(error);
    if (object === 'data_centers_canary_inside_rails')
      throw new RolloutError('conflict', {
        message: `The guard-rails approved the run of data center "${dataCenter}", and the policy wants a person now.`,
        next: advise`Run: ${command`abort --dc ${dataCenter}`}, plan again, and let somebody approve the plan.`,
        cause: error,
      });
    if (kind === 'duplicate')
      throw new RolloutError('data_center_busy', {
        message: `Another data center is being rolled out; "${dataCenter}" can be retried after it.`,
      });
    throw error;
  }
}
