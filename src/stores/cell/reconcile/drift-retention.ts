// Forgets findings of nights that are over. An owner's function does it: nobody of ours may delete a finding otherwise.
import type { CellTransaction } from '../cell-database.js';

/** Forgets at most `most` findings older than so many days, never one that is still proposed; returns how many. */
export async function forgetOldDrift(
  tx: CellTransaction,
  { retentionDays, most }: { readonly retentionDays: number; readonly most: number },
): Promise<number> {
  const { rows } = await tx.raw('select credit_rollout.forget_drift(?::int, ?::int) as forgotten', [
    retentionDays,
    most,
  ]);
  return rows[0].forgotten;
}
