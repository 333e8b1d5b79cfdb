// Registers in control a plan that a cell has: id, digest, author, counts. Before that it can be neither approved nor
// applied.
import { toSections } from '../../domain/config/policy.js';
import { isInsideRails, readGuardRails } from '../../domain/plan/guard-rails.js';
import { advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { findPlan, sealPlan } from '../../stores/cell/plan/plans.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { findRegisteredPlan, insertRegisteredPlan, type NewRegisteredPlan } from '../../stores/control/plans.js';
import { readPolicy } from '../../stores/control/policy.js';
import { readSealFailure, type Seal } from '../../stores/seal.js';
import type { EngineContext } from '../context.js';
import { approveInsideRails } from './approve-plan.js';
import { parsePlanName } from './plan-id.js';

/** Idempotent; `known`: control had it already. Throws plan_conflict when control has the id with another digest. */
export async function registerPlan(
  context: Pick<EngineContext, 'control' | 'actor'>,
  plan: NewRegisteredPlan,
  reason: string | null = null,
): Promise<'new' | 'known'> {
  return context.control.inTransaction(async (tx) => {
    const added = await insertRegisteredPlan(tx, plan).catch((error: unknown) => {
      throw explainSeal(error, plan);
    });
    if (!added) {
      rejectOtherDigest(plan, (await findRegisteredPlan(tx, plan.planId))?.digest);
      return 'known';
    }
    const { planId, digest, cardHash, counts } = plan;
    // as the database recorded it
    const author = (await findRegisteredPlan(tx, planId))?.author;
    await appendAudit(tx, {
      action: 'plan',
      dataCenter: plan.dataCenter,
      reason,
      details: { plan: planId, digest, card: cardHash, author, touched: counts.touched },
    });
    return 'new';
  });
}

/** Why control does not accept what a cell sealed; another error stays as it is. */
function explainSeal(
  cause: unknown,
  { planId, dataCenter }: Pick<NewRegisteredPlan, 'planId' | 'dataCenter'>,
): unknown {
  const failure = readSealFailure(cause);
  if (failure === 'seal_wrong')
    return new RolloutError('seal_wrong', {
      message:
        `The control database does not accept the seal of plan ${planId}: it has another key than data center ` +
        `"${dataCenter}", or the seal belongs to another plan.`,
      next: advise`As the owner of both run: ${command('init')}; then plan again: ${command`plan --dc ${dataCenter}`}`,
      cause,
    });
  if (failure === 'seal_expired')
    return new RolloutError('seal_expired', {
      message: `The seal of plan ${planId} is older than an hour by the clock of the control database.`,
      cause,
    });
  return cause;
}

/** Throws plan_conflict when control has the plan with another digest: another plan was approved. */
export function rejectOtherDigest(
  { planId, digest, dataCenter }: Pick<NewRegisteredPlan, 'planId' | 'digest' | 'dataCenter'>,
  known: string | undefined,
): void {
  if (known === digest) return;
  throw new RolloutError('plan_conflict', {
    message:
      `The control database has a plan ${planId} with another digest: the cell was restored to an earlier state, ` +
      'or the plan was edited.',
    next: advise`Plan again, which takes the next number: ${command`plan --dc ${dataCenter}`}`,
  });
}

/** What the cell proves of a plan to control. Throws plan_edited where an earlier version made it. */
export async function sealOfPlan(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  planId: string,
  role: 'fencer' | 'planner',
): Promise<Seal> {
  const number = parsePlanName(planId)?.number;
  const seal =
    number === undefined ? undefined : await cells.get(dataCenter).inTransaction(role, (tx) => sealPlan(tx, number));
  if (seal !== undefined) return seal;
  throw new RolloutError('plan_edited', {
    message: `The plan ${planId} was made by an earlier version, which did not count in the database.`,
    next: advise`Plan again: ${command`plan --dc ${dataCenter}`}`,
  });
}

/**
 * Registers the plan that a worker made in its cell, and approves it where the policy allows it. True when one of these
 * changed something. Throws plan_conflict.
 */
export async function registerPlanFromCell(
  context: EngineContext,
  { id: dataCenter, settings }: Pick<DataCenterRow, 'id' | 'settings'>,
  planId: string,
): Promise<boolean> {
  const number = parsePlanName(planId)?.number;
  if (number === undefined || settings === null) return false;
  const { approval: mode, guardRails } = toSections(await context.control.inTransaction(readPolicy)).rollout;
  const plan = await context.cells.get(dataCenter).inTransaction('fencer', (tx) => findPlan(tx, number));
  if (plan === undefined) return false;
  const { counts } = plan;
  const seal = await sealOfPlan(context, dataCenter, planId, 'fencer');
  const rails = readGuardRails(counts, guardRails);
  const registered = await registerPlan(context, {
    planId,
    dataCenter,
    digest: plan.digest,
    cardHash: plan.cardHash,
    author: plan.author,
    snapshotAt: plan.snapshotAt.toISOString(),
    counts,
    rails,
    seal,
  });
  if (mode !== 'auto' || !isInsideRails(rails)) return registered === 'new';
  const approval = await approveInsideRails(context, planId);
  return registered === 'new' || approval !== undefined;
}
