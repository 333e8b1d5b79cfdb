// The plans of a cell in one line each: whose they are and what they come to. Counts only.
import type { PlanCounts } from '../../../domain/plan/plan-report.js';
import type { CellTransaction } from '../cell-database.js';

export interface PlanHead {
  readonly planId: bigint;
  /** 64 hex digits. */
  readonly digest: string;
  readonly cardHash: string;
  readonly author: string;
  readonly snapshotAt: Date;
  readonly madeAt: Date;
  readonly counts: PlanCounts;
}

/** The newest `most`, newest first. */
export async function listPlanHeads(tx: CellTransaction, most: number): Promise<readonly PlanHead[]> {
  const { rows } = await tx.raw(
    `select plan_id as "planId", digest, card_hash as "cardHash", author, snapshot_at as "snapshotAt", made_at as "madeAt",
       counts -> 'counts' as counts
     from credit_rollout.plans order by plan_id desc limit ?`,
    [most],
  );
  return rows.map((row: Omit<PlanHead, 'planId'> & { readonly planId: string }) => ({
    ...row,
    planId: BigInt(row.planId),
  }));
}
