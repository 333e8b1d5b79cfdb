// Why a plan can be neither approved nor applied any more, as people read it: its approval was used, or a newer plan took
// its place. Says it and nothing else.
import { RolloutError } from '../../kernel/rollout-error.js';
import type { ApprovalRow } from '../../stores/control/approvals.js';
import type { RegisteredPlan } from '../../stores/control/plans.js';

/** plan_used or plan_superseded; `by`: the approval that stands in its way, its own or a newer plan's. */
export function explainOutdated(
  { planId, dataCenter }: Pick<RegisteredPlan, 'planId' | 'dataCenter'>,
  by: Pick<ApprovalRow, 'planId' | 'state' | 'usedByRun'>,
): RolloutError {
  const next = `Plan again: credit-rollout plan --dc ${dataCenter}`;
  if (by.planId === planId)
    return new RolloutError('plan_used', {
      message: `The plan ${planId} was applied by run ${by.usedByRun}; an approval is used once.`,
      next,
    });
  const state = by.state === 'used' ? `was applied by run ${by.usedByRun}` : 'is approved';
  return new RolloutError('plan_superseded', {
    message: `The plan ${planId} is older than ${by.planId}, which ${state}.`,
    next,
  });
}
