// Where ranges of a given number of source orgs end. Reads the ids of the source and nothing else of it.
import { findRow, selectRows } from '../query.js';
import type { CellTransaction } from './cell-database.js';
import { rangeCondition } from './key-range.js';

// Where one id has more rows than a range, the range would end where it begins: it ends at the next id instead. `e` is
// the row at the end; `before` is a condition on `n`.
const endAbove = (lower: string, before = ''): string =>
  `case when e.org_id > ${lower} then e.org_id
     else (select n.org_id from credit_rollout.source_orgs n where n.org_id > ${lower} ${before}
       order by n.org_id limit 1) end`;

/** The id that ends a range of `size` source orgs from `lowerId` on; null where none is left below `upperId`. */
export async function findSourceRangeEnd(
  tx: CellTransaction,
  lowerId: string | null,
  size: number,
  upperId: string | null = null,
): Promise<string | null> {
  const within = rangeCondition({ lowerId, upperId });
  const before = upperId === null ? '' : 'and n.org_id < :upper_id::credit_rollout.org_id';
  const end = lowerId === null ? 'e.org_id' : endAbove(':lower_id::credit_rollout.org_id', before);
  const found = await findRow<{ readonly orgId: string | null }>(
    tx,
    `select (${end})::text as org_id
     from (select org_id from credit_rollout.source_orgs where ${within.sql} order by org_id offset :size limit 1) e`,
    { ...within.values, size },
  );
  return found?.orgId ?? null;
}

const nextEnd = (lower: string): string =>
  `select ${endAbove(lower)}
   from (select s.org_id from credit_rollout.source_orgs s where s.org_id >= ${lower}
     order by s.org_id offset :size limit 1) e`;

const NEXT_ENDS = `
with recursive ends (n, org_id) as (
  select 2, (${nextEnd(':first_id::credit_rollout.org_id')})
  union all
  select f.n + 1, (${nextEnd('f.org_id')}) from ends f where f.org_id is not null and f.n < :limit)
select org_id::text from ends order by n`;

/**
 * The ids that end up to `limit` ranges of `size` source orgs from `lowerId` on; null ends the last range of the
 * source.
 */
export async function listSourceRangeEnds(
  tx: CellTransaction,
  lowerId: string | null,
  { size, limit }: { readonly size: number; readonly limit: number },
): Promise<readonly (string | null)[]> {
  const first = await findSourceRangeEnd(tx, lowerId, size);
  if (first === null || limit === 1) return [first];
  const rows = await selectRows<{ readonly orgId: string | null }>(tx, NEXT_ENDS, { first_id: first, size, limit });
  return [first, ...rows.map(({ orgId }) => orgId)];
}
