// Whether a plan can still be applied: the cell has it unchanged, and the cell is still what the plan was made from.
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { DAY_MS } from '../../domain/time/duration.js';
import { advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { findCell, readCellClock, rejectChangedSource } from '../../stores/cell/identity.js';
import { digestPlan, findPlan, hasEveryRange, type StoredPlan } from '../../stores/cell/plan/plans.js';
import { findBlockingApproval, listPlanApprovals } from '../../stores/control/approvals.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { findRegisteredPlan } from '../../stores/control/plans.js';
import type { EngineContext } from '../context.js';
import { explainOutdated } from './approve-plan.js';
import { parsePlanName } from './plan-id.js';
import { rejectOtherDigest } from './register-plan.js';

/**
 * Throws plan_unknown, plan_edited, not_initialised, plan_source_changed, plan_expired, plan_conflict, plan_used,
 * plan_superseded.
 */
export async function requirePlanToFollow(
  context: EngineContext,
  { planId, dataCenter, retentionDays }: { planId: string; dataCenter: string; retentionDays: number },
): Promise<StoredPlan> {
  const name = parsePlanName(planId);
  if (name === undefined || name.dataCenter !== dataCenter)
    throw new RolloutError('plan_unknown', { message: `"${planId}" is not a plan of data center "${dataCenter}".` });
  const found = await context.cells.get(dataCenter).inTransaction('reader', async (tx) => {
    const plan = await findPlan(tx, name.number);
    if (plan !== undefined) await rejectChangedSource(tx, dataCenter);
    return plan && { plan, intact: await isIntact(tx, plan), cell: await findCell(tx), now: await readCellClock(tx) };
  });
  if (found === undefined)
    throw new RolloutError('plan_unknown', { message: `Data center "${dataCenter}" has no plan "${planId}".` });
  const { plan, intact, cell, now } = found;
  if (!intact)
    throw new RolloutError('plan_edited', {
      message: `The plan "${planId}" was changed: it does not match its digest ${plan.digest.slice(0, 12)}.`,
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
  await checkInControl(context, { planId, dataCenter, digest: plan.digest });
  return plan;
}

/** The digest does not cover where ranges end: a gap between two would leave orgs out. */
const isIntact = async (tx: CellTransaction, plan: StoredPlan): Promise<boolean> =>
  (await digestPlan(tx, plan)) === plan.digest && (await hasEveryRange(tx, plan.planId));

/** An approval belongs to a digest, is used once, and is blocked by the approval of a newer plan. */
async function checkInControl(
  { control }: Pick<EngineContext, 'control'>,
  plan: { readonly planId: string; readonly dataCenter: string; readonly digest: string },
): Promise<void> {
  const { planId, dataCenter } = plan;
  const { known, approvals, blocking, row } = await control.inTransaction(async (tx) => ({
    row: (await listDataCenters(tx)).find(({ id }) => id === dataCenter),
    known: await findRegisteredPlan(tx, planId),
    approvals: await listPlanApprovals(tx, planId),
    blocking: await findBlockingApproval(tx, dataCenter, planId),
  }));
  if (known !== undefined) rejectOtherDigest(plan, known.digest);
  const used = approvals.find(({ usedAt }) => usedAt !== null);
  if (used !== undefined && row?.planId === planId && !RESTING_STAGES.includes(row.stage))
    throw new RolloutError('plan_used', {
      message: `The plan ${planId} is being applied by run ${used.usedByRun}.`,
      next: advise`Wait for it: ${command`wait --dc ${dataCenter}`}`,
    });
  if (used !== undefined) throw explainOutdated(plan, used);
  if (blocking !== undefined && blocking.planId !== planId) throw explainOutdated(plan, blocking);
}
