// The dry run of one data center: made in its cell and, when it is saved, registered in control with its author.
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import type { PlanCounts, PlanReport } from '../../domain/plan/plan-report.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { advise, command } from '../../kernel/advice.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { findMembership } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import { makePlan, type PlanHooks } from './make-plan.js';
import { registerPlan, sealOfPlan } from './register-plan.js';

export interface PlanOfDataCenter {
  readonly config: Pick<RolloutConfig, 'rollout'>;
  readonly dataCenter: string;
  readonly card: RateCard;
  /** `nothing`: a what-if, which stores nothing. */
  readonly save: 'plan' | 'nothing';
  /** Why somebody plans; for the audit. */
  readonly reason?: string | null;
}

/** A run of this plan would write something. */
export const isPending = ({ counts }: { readonly counts: PlanCounts }): boolean => counts.touched > 0;

/** A cell without our schema whose data center was taken out is no cell that waits for its first `init`. */
const makePlanOfMember = (
  context: EngineContext,
  question: Parameters<typeof makePlan>[1],
  hooks: PlanHooks,
): Promise<PlanReport> =>
  makePlan(context, question, hooks).catch(async (error: unknown) => {
    const explained = explainFailure(error);
    if (!isRolloutError(explained, 'not_initialised')) throw error;
    const id = question.dataCenter;
    if ((await context.control.inTransaction((tx) => findMembership(tx, id))) !== 'removed') throw error;
    throw new RolloutError('unknown_data_center', {
      message: `Data center "${id}" has left the fleet, by uninstall or remove, and its cell has nothing of ours.`,
      next: advise`Take it out of the configuration. To begin there again, run: ${command`init --dc ${id}`}`,
      cause: error,
    });
  });

/** Throws what makePlan and registerPlan throw, and unknown_data_center for one that was uninstalled. */
export async function planDataCenter(
  context: EngineContext,
  { config, dataCenter, card, save, reason = null }: PlanOfDataCenter,
  hooks: PlanHooks = {},
): Promise<PlanReport> {
  const author = (await context.control.inTransaction((tx) => identifyPerson(tx, context.actor))).name;
  const { batchSize, lanes, guardRails } = config.rollout;
  const report = await makePlanOfMember(
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
    const plan = { planId, dataCenter, digest, cardHash: card.hash, author, snapshotAt, counts, rails, seal };
    await registerPlan(context, plan, reason);
  }
  return report;
}
