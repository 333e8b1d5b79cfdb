// Tells control of a plan that a cell holds: id, digest, author, counts. Without that it can be neither approved nor applied.
import { RolloutError } from '../../kernel/rollout-error.js';
import { appendAudit } from '../../stores/control/audit.js';
import { findRegisteredPlan, insertPlan, type NewPlan } from '../../stores/control/plans.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';

/** Idempotent; returns whether control knew it. Throws plan_conflict when it knows the id with another digest. */
export async function registerPlan(
  context: Pick<EngineContext, 'control' | 'actor'>,
  plan: NewPlan,
): Promise<'new' | 'known'> {
  try {
    return await context.control.inTransaction(async (tx) => {
      if (!(await insertPlan(tx, plan))) {
        refuseOtherDigest(plan, (await findRegisteredPlan(tx, plan.planId))?.digest);
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
  } catch (error) {
    throw explainFailure(error, 'The control database');
  }
}

/** Throws plan_conflict when control knows the plan with another digest: what was approved was another plan. */
export function refuseOtherDigest(
  { planId, digest, dataCenter }: Pick<NewPlan, 'planId' | 'digest' | 'dataCenter'>,
  known: string | undefined,
): void {
  if (known === digest) return;
  throw new RolloutError('plan_conflict', {
    message: `Control knows a plan ${planId} with another digest: the cell was set back to an earlier state, or the plan was edited.`,
    next: `Plan again, which takes the next number: credit-rollout plan --dc ${dataCenter}`,
  });
}
