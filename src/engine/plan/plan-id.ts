// The id of a plan outside its cell: data center and number, e.g. `in-7`; and the stored plan that an id names.
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { findPlan, type StoredPlan } from '../../stores/cell/plan/plans.js';

export interface PlanName {
  readonly dataCenter: string;
  readonly number: bigint;
}

export const planName = (dataCenter: string, number: bigint): string => `${dataCenter}-${number}`;

/** Undefined for a text that is no plan id. */
export function parsePlanName(text: string): PlanName | undefined {
  const found = /^(?<dataCenter>.+)-(?<number>[1-9][0-9]{0,17})$/u.exec(text)?.groups;
  return found && { dataCenter: found.dataCenter ?? '', number: BigInt(found.number ?? '0') };
}

/** Throws plan_unknown for a text that is no plan id. */
export function getPlanName(planId: string): PlanName {
  const name = parsePlanName(planId);
  if (name !== undefined) return name;
  throw new RolloutError('plan_unknown', {
    message: `${JSON.stringify(planId)} is not the id of a plan, such as in-7.`,
  });
}

/** Throws plan_unknown when the cell does not have it. */
export async function getStoredPlan(tx: CellTransaction, { dataCenter, number }: PlanName): Promise<StoredPlan> {
  const plan = await findPlan(tx, number);
  if (plan !== undefined) return plan;
  throw new RolloutError('plan_unknown', {
    message:
      `Data center "${dataCenter}" has no plan "${dataCenter}-${number}": none was made with this number, or it ` +
      'was purged.',
  });
}
