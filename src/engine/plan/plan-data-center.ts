// The dry run of one data center: made in its cell and, when it is saved, registered in control with its author.
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import type { PlanCounts, PlanReport } from '../../domain/plan/plan-report.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { identifyPerson } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';
import { makePlan, type PlanHooks } from './make-plan.js';
import { registerPlan, sealOfPlan } from './register-plan.js';

export interface PlanOfDataCenter {
  readonly config: Pick<RolloutConfig, 'rollout'>;
  readonly dataCenter: string;
  readonly card: RateCard;
  /** `nothing`: a what-if, which stores nothing. */
  readonly save: 'plan' | 'nothing';
}

/** A run of this plan would write something. */
export const isPending = ({ counts }: { readonly counts: PlanCounts }): boolean => counts.touched > 0;

/** Throws what makePlan and registerPlan throw. */
export async function planDataCenter(
  context: EngineContext,
  { config, dataCenter, card, save }: PlanOfDataCenter,
  hooks: PlanHooks = {},
): Promise<PlanReport> {
  const author = (await context.control.inTransaction((tx) => identifyPerson(tx, context.actor))).name;
  const { batchSize, lanes, guardRails } = config.rollout;
  const report = await makePlan(
    context,
    {
      dataCenter,
      card,
      author,
      rangeSize: batchSize,
      lanes,
      rails: guardRails,
      save: save === 'plan' ? 'new_plan' : 'nothing',
    },
    hooks,
  );
  const { planId, digest, snapshotAt, counts, rails } = report;
  if (planId !== null && digest !== null) {
    const seal = await sealOfPlan(context, dataCenter, planId, 'planner');
    const cardHash = card.hash;
    await registerPlan(context, { planId, dataCenter, digest, cardHash, author, snapshotAt, counts, rails, seal });
  }
  return report;
}
