// Chooses the canaries of a plan: the lowest org of every branch. The ids never leave the cell.
import type { CellTransaction } from './cell-database.js';
import { branchOfPlanned } from './plan-branch.js';
import { rowHash } from './row-hash.js';

export interface PlannedBranches {
  readonly planId: bigint;
  readonly rangeNo: number;
  /** The card's editions, in the order of their places. */
  readonly editions: readonly string[];
  readonly branches: readonly number[];
}

/** The lowest org of each of these branches in a range that this transaction stored, protected ones left out. */
export async function findCanaries(
  tx: CellTransaction,
  { planId, rangeNo, editions, branches }: PlannedBranches,
): Promise<readonly { readonly branch: number; readonly orgId: string; readonly hash: string }[]> {
  const { rows } = await tx.raw(
    `select distinct on (b.branch) b.branch, d.org_id::text as "orgId", ${rowHash('d')}::text as hash
     from credit_rollout.planned(?::bigint, ?::int) d
     cross join lateral (select ${branchOfPlanned(editions)} as branch) b
     where d.movement in ('first', 'raise') and b.branch = any (?::int[])
       and not exists (select from credit_rollout.protected_orgs p where p.org_id = d.org_id)
     order by b.branch, d.org_id`,
    [String(planId), rangeNo, [...branches]],
  );
  return rows;
}
