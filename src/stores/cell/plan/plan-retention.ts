// Forgets plans that are over. An owner's function does it: nobody of ours may delete a plan otherwise.
import type { CellTransaction } from '../cell-database.js';

/** Forgets the oldest plan that is over, and returns its number; undefined: none is. Never one of `kept`. */
export async function forgetPlan(
  tx: CellTransaction,
  { retentionDays, kept }: { readonly retentionDays: number; readonly kept: readonly bigint[] },
): Promise<bigint | undefined> {
  const { rows } = await tx.raw('select credit_rollout.forget_plan(?::int, ?::bigint[]) as plan_id', [
    retentionDays,
    kept.map(String),
  ]);
  return rows[0].plan_id === null ? undefined : BigInt(rows[0].plan_id);
}
