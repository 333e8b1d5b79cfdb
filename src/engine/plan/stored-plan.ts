// The plan that a name stands for, out of its cell: for the commands that read plans again.
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { findPlan, type StoredPlan } from '../../stores/cell/plan/plans.js';
import { parsePlanName } from './plan-id.js';

export interface PlanName {
  readonly dataCenter: string;
  readonly number: bigint;
}

/** Throws plan_unknown for what is no plan's name. */
export function getPlanName(planId: string): PlanName {
  const name = parsePlanName(planId);
  if (name !== undefined) return name;
  throw new RolloutError('plan_unknown', {
    message: `${JSON.stringify(planId)} is no name of a plan: it would be one such as in-7.`,
  });
}

/** Throws plan_unknown when the cell does not hold it. */
export async function getStoredPlan(tx: CellTransaction, { dataCenter, number }: PlanName): Promise<StoredPlan> {
  const plan = await findPlan(tx, number);
  if (plan !== undefined) return plan;
  throw new RolloutError('plan_unknown', {
    message: `Data center "${dataCenter}" holds no plan "${dataCenter}-${number}": none was made under it, or it was forgotten.`,
  });
}
