// Whether a plan may still be asked for: it lies in the cell as its digest says, and the cell is what it was made from.
import { DAY_MS } from '../domain/calendar/duration.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { findCell, readCellClock } from '../stores/cell/identity.js';
import { digestPlan, findPlan, type StoredPlan } from '../stores/cell/plans.js';
import { listPlanApprovals } from '../stores/control/approvals.js';
import type { EngineContext } from './context.js';
import { parsePlanName } from './plan-name.js';

/** Throws plan_unknown, plan_edited, not_initialised, plan_source_changed, plan_expired, plan_used. */
export async function checkPlan(
  context: EngineContext,
  { planId, dataCenter, retentionDays }: { planId: string; dataCenter: string; retentionDays: number },
): Promise<StoredPlan> {
  const name = parsePlanName(planId);
  if (name === undefined || name.dataCenter !== dataCenter)
    throw new RolloutError('plan_unknown', { message: `"${planId}" is no plan of data center "${dataCenter}".` });
  const found = await context.cells.get(dataCenter).inTransaction('reader', async (tx) => {
    const plan = await findPlan(tx, name.number);
    return plan && { plan, digest: await digestPlan(tx, plan), cell: await findCell(tx), now: await readCellClock(tx) };
  });
  if (found === undefined)
    throw new RolloutError('plan_unknown', { message: `Data center "${dataCenter}" holds no plan "${planId}".` });
  const { plan, digest, cell, now } = found;
  if (digest !== plan.digest)
    throw new RolloutError('plan_edited', {
      message: `The plan "${planId}" is not what its digest ${plan.digest.slice(0, 12)} was made of.`,
    });
  if (cell?.sourceSignature == null)
    throw new RolloutError('not_initialised', {
      message: `The views of data center "${dataCenter}" are not attached to its source.`,
    });
  if (plan.sourceSignature !== cell.sourceSignature)
    throw new RolloutError('plan_source_changed', {
      message: `The plan "${planId}" was made from another state of the source, or by another version.`,
    });
  if (now.getTime() - plan.madeAt.getTime() > retentionDays * DAY_MS)
    throw new RolloutError('plan_expired', {
      message: `The plan "${planId}" is older than rollout.planRetention (${retentionDays} days).`,
    });
  const approvals = await context.control.inTransaction((tx) => listPlanApprovals(tx, planId));
  const used = approvals.find((approval) => approval.usedAt !== null);
  if (used !== undefined)
    throw new RolloutError('plan_used', { message: `The plan "${planId}" was applied by run ${used.usedByRun}.` });
  return plan;
}
