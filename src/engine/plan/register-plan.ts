// Tells control of a plan that a cell holds: id, digest, author, counts. Without that it can be neither approved nor applied.
import { isInsideRails, readGuardRails } from '../../domain/plan/guard-rails.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { findPlan } from '../../stores/cell/plan/plans.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { findRegisteredPlan, insertRegisteredPlan, type NewRegisteredPlan } from '../../stores/control/plans.js';
import type { EngineContext } from '../context.js';
import { approveInsideRails } from './approve-plan.js';
import { parsePlanName } from './plan-id.js';

/** Idempotent; returns whether control knew it. Throws plan_conflict when it knows the id with another digest. */
export async function registerPlan(
  context: Pick<EngineContext, 'control' | 'actor'>,
  plan: NewRegisteredPlan,
): Promise<'new' | 'known'> {
  return context.control.inTransaction(async (tx) => {
    if (!(await insertRegisteredPlan(tx, plan))) {
      rejectOtherDigest(plan, (await findRegisteredPlan(tx, plan.planId))?.digest);
      return 'known';
    }
    const { planId, digest, cardHash, author, counts } = plan;
    await appendAudit(tx, {
      actor: context.actor,
      action: 'plan',
      dataCenter: plan.dataCenter,
      details: { plan: planId, digest, card: cardHash, author, touched: counts.touched },
    });
    return 'new';
  });
}

/** Throws plan_conflict when control knows the plan with another digest: what was approved was another plan. */
export function rejectOtherDigest(
  { planId, digest, dataCenter }: Pick<NewRegisteredPlan, 'planId' | 'digest' | 'dataCenter'>,
  known: string | undefined,
): void {
  if (known === digest) return;
  throw new RolloutError('plan_conflict', {
    message: `Control knows a plan ${planId} with another digest: the cell was set back to an earlier state, or the plan was edited.`,
    next: `Plan again, which takes the next number: credit-rollout plan --dc ${dataCenter}`,
  });
}

// Brings a plan from its cell before control: registered with its counts, and self-approved where it may be.

/** True when that changed something: it was registered, or approved by its guard-rails. Throws plan_conflict. */
export async function registerPlanFromCell(
  context: EngineContext,
  row: DataCenterRow,
  planId: string,
): Promise<boolean> {
  const number = parsePlanName(planId)?.number;
  const { settings } = row;
  if (number === undefined || settings === null) return false;
  const plan = await context.cells.get(row.id).inTransaction('fencer', (tx) => findPlan(tx, number));
  if (plan === undefined) return false;
  const { counts } = plan;
  const rails = readGuardRails(counts, settings.guardRails);
  const registered = await registerPlan(context, {
    planId,
    dataCenter: row.id,
    digest: plan.digest,
    cardHash: plan.cardHash,
    author: plan.author,
    snapshotAt: plan.snapshotAt.toISOString(),
    counts,
    rails,
  });
  if (settings.approval !== 'auto' || !isInsideRails(rails)) return registered === 'new';
  const approval = await context.control.inTransaction((tx) => approveInsideRails(context, tx, planId));
  return registered === 'new' || approval !== undefined;
}
