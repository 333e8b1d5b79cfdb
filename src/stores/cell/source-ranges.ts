// Where ranges of a number of source orgs end. Only ids that the source has, and no terms.
import type { CellTransaction } from './cell-database.js';
import { withinRange } from './key-range.js';

// A range ends above where it begins, also when one id has more rows than a range: then at the next id.
const endAbove = (lower: string, rest: string): string =>
  `case when e.org_id > ${lower} then e.org_id
     else (select n.org_id from credit_rollout.source_orgs n where n.org_id > ${lower} ${rest} order by n.org_id limit 1) end`;

/** The id that ends a range of `size` source orgs from `lowerId` on; null where none is left below `upperId`. */
export async function findSourceRangeEnd(
  tx: CellTransaction,
  lowerId: string | null,
  size: number,
  upperId: string | null = null,
): Promise<string | null> {
  const within = withinRange({ lowerId, upperId });
  const rest = upperId === null ? '' : 'and n.org_id < ?::credit_rollout.org_id';
  const end = lowerId === null ? 'e.org_id' : endAbove('?::credit_rollout.org_id', rest);
  const { rows } = await tx.raw(
    `select (${end})::text as org_id
     from (select org_id from credit_rollout.source_orgs where ${within.sql} order by org_id offset ? limit 1) e`,
    [
      ...(lowerId === null ? [] : [lowerId, lowerId]),
      ...(lowerId === null || upperId === null ? [] : [upperId]),
      ...within.bindings,
      size,
    ],
  );
  return rows[0]?.org_id ?? null;
}

/** The ids that end up to `most` ranges of `size` source orgs from `lowerId` on; null ends the last one of all. */
export async function listSourceRangeEnds(
  tx: CellTransaction,
  lowerId: string | null,
  { size, most }: { readonly size: number; readonly most: number },
): Promise<readonly (string | null)[]> {
  const first = await findSourceRangeEnd(tx, lowerId, size);
  if (first === null || most === 1) return [first];
  const { rows } = await tx.raw(
    `with recursive ends (n, org_id) as (
       select 2, (${nextEnd('?::credit_rollout.org_id')})
       union all
       select f.n + 1, (${nextEnd('f.org_id')}) from ends f where f.org_id is not null and f.n < ?)
     select org_id::text from ends order by n`,
    [first, first, first, size, size, most],
  );
  return [first, ...rows.map(({ org_id: id }: { org_id: string | null }) => id)];
}

/** Bindings: `lower` three times where it is one, then the size. */
const nextEnd = (lower: string): string =>
  `select ${endAbove(lower, '')} from (select s.org_id from credit_rollout.source_orgs s where s.org_id >= ${lower}
     order by s.org_id offset ? limit 1) e`;
