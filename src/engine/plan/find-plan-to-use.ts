// The newest plan of a data center where that is the next thing to use: one that is approved, or that waits for its
// approval, and that no run has followed. Reads only.
import { toSections } from '../../domain/config/policy.js';
import type { PlanToUse } from '../../domain/rollout/data-center-state.js';
import { listPlanUses, listRegisteredPlans } from '../../stores/control/plans.js';
import { readPolicy } from '../../stores/control/policy.js';
import type { EngineContext } from '../context.js';

/** Undefined: there is none, or it would write nothing. */
export async function findPlanToUse(
  { control }: Pick<EngineContext, 'control'>,
  dataCenter: string,
): Promise<PlanToUse | undefined> {
  return control.inTransaction(async (tx) => {
    const [plan] = await listRegisteredPlans(tx, [dataCenter], 1);
    if (plan === undefined || plan.counts.touched === 0) return undefined;
    const { planId } = plan;
    const [use] = await listPlanUses(tx, [plan]);
    const state = use?.approval?.state;
    if (use?.run != null || state === 'used' || state === 'voided') return undefined;
    if (state === 'open') return { planId, step: 'apply' };
    const { approval } = toSections(await readPolicy(tx)).rollout;
    return { planId, step: plan.insideRails && approval === 'auto' ? 'apply' : 'approve' };
  });
}
