// Chooses the canaries of a plan: the lowest org of every branch. The ids never leave the cell.
import { selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { rowHash } from '../hashes.js';
import { branchOfPlanned, editionValues, PLAN_FLAGS } from './plan-branch.js';

export interface PlannedBranches {
  readonly planId: bigint;
  /** The card's editions, in the order of their places. */
  readonly editions: readonly string[];
  /** Numbers of ranges that this transaction stored. */
  readonly ranges: readonly number[];
  readonly branches: readonly number[];
}

export interface PlannedCanary {
  readonly branch: number;
  readonly rangeNo: number;
  readonly orgId: string;
  readonly hash: string;
}

/** The lowest org of each of these branches in these ranges, without protected orgs. */
export async function findCanaries(
  tx: CellTransaction,
  { planId, editions, ranges, branches }: PlannedBranches,
): Promise<readonly PlannedCanary[]> {
  // edition and winner belong to a whole group: groups of other ones are not unpacked
  const named = [...new Set(branches.map((branch) => editions[(branch >> 8) - 1] ?? ''))];
  const winners = [...new Set(branches.map((branch) => ((branch & PLAN_FLAGS.legacy) === 0 ? 'credits' : 'legacy')))];
  return selectRows<PlannedCanary>(
    tx,
    `select distinct on (b.branch) b.branch, d.range_no, d.org_id::text as org_id, ${rowHash('d')}::text as hash
     from credit_rollout.planned(:plan_id::bigint) d
     cross join lateral (select ${branchOfPlanned(editions)} as branch) b
     where d.range_no = any (:ranges::int[]) and d.edition = any (:editions::text[])
       and d.winner = any (:winners::text[]) and d.movement in ('first', 'raise') and b.branch = any (:branches::int[])
       and not exists (select from credit_rollout.protected_orgs p where p.org_id = d.org_id)
     order by b.branch, d.org_id`,
    { ...editionValues(editions), plan_id: planId, ranges, editions: named, winners, branches },
  );
}
