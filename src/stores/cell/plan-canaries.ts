// Chooses the canaries of a plan: the lowest org of every branch. The ids never leave the cell.
import type { CellTransaction } from './cell-database.js';
import type { KeyRange } from './key-range.js';
import { branchOfRow } from './plan-branch.js';
import type { RangeQuestion } from './plan-ranges.js';
import { rowHash } from './row-hash.js';

/** The lowest org of each of these branches in a range, protected ones left out: asked only where a branch is new. */
export async function findCanaries(
  tx: CellTransaction,
  range: KeyRange,
  question: Pick<RangeQuestion, 'rule' | 'cardHash' | 'editions'>,
  branches: readonly number[],
): Promise<readonly { readonly branch: number; readonly orgId: string; readonly hash: string }[]> {
  const { rows } = await tx.raw(
    `select distinct on (b.branch) b.branch, d.org_id::text as "orgId", ${rowHash('d')}::text as hash
     from credit_rollout.${question.rule}(?::credit_rollout.org_id, ?::credit_rollout.org_id, null, ?) d
     cross join lateral (select ${branchOfRow(question.editions)} as branch) b
     where d.reason is null and d.movement in ('first', 'raise') and b.branch = any (?::int[])
       and not exists (select from credit_rollout.protected_orgs p where p.org_id = d.org_id)
     order by b.branch, d.org_id`,
    [range.lowerId, range.upperId, question.cardHash, [...branches]],
  );
  return rows;
}
