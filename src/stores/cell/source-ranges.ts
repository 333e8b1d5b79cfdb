// Where ranges of a given number of source orgs end. Reads the ids of the source and nothing else of it.
import { isRowFailure } from '../postgres-failure.js';
import { findRow, selectRow, selectRows } from '../query.js';
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, rangeCondition } from './key-range.js';

// Where one id has more rows than a range, the range would end where it begins: it ends at the next id instead. `e` is
// the row at the end; `before` is a condition on `n`.
const endAbove = (lower: string, before = ''): string =>
  `case when e.org_id > ${lower} then e.org_id
     else (select n.org_id from credit_rollout.source_orgs n where n.org_id > ${lower} ${before}
       order by n.org_id limit 1) end`;

/**
 * `careful`: some org cannot be read, and maybe not even found, so each reading has a savepoint before it, and one that
 * fails reads the ids alone.
 */
export type SourceReadMode = 'quick' | 'careful';

interface RangeSize {
  readonly size: number;
  readonly mode: SourceReadMode;
  readonly upperId?: string | null;
}

/** The id that ends a range of `size` source orgs from `lowerId` on; null where none is left below `upperId`. */
export async function findSourceRangeEnd(
  tx: CellTransaction,
  lowerId: string | null,
  { size, mode, upperId = null }: RangeSize,
): Promise<string | null> {
  if (mode === 'quick') return readRangeEnd(tx, { lowerId, upperId }, size);
  try {
    return await tx.transaction((nested) => readRangeEnd(nested, { lowerId, upperId }, size));
  } catch (error) {
    if (!isRowFailure(error)) throw error;
    return findEndByKeys(tx, { lowerId, upperId }, size);
  }
}

async function readRangeEnd(tx: CellTransaction, range: KeyRange, size: number): Promise<string | null> {
  const within = rangeCondition(range);
  const before = range.upperId === null ? '' : 'and n.org_id < :upper_id::credit_rollout.org_id';
  const end = range.lowerId === null ? 'e.org_id' : endAbove(':lower_id::credit_rollout.org_id', before);
  const found = await findRow<{ readonly orgId: string | null }>(
    tx,
    `select (${end})::text as org_id
     from (select org_id from credit_rollout.source_orgs where ${within.sql} order by org_id offset :size limit 1) e`,
    { ...within.values, size },
  );
  return found?.orgId ?? null;
}

/** Of many ids only some are listed: then those before the first of them are listed again. */
async function findEndByKeys(tx: CellTransaction, range: KeyRange, size: number): Promise<string | null> {
  let end: string | null = null;
  for (;;) {
    const { ids, oneOf }: Keys = await listKeys(tx, { ...range, upperId: end ?? range.upperId });
    if (oneOf <= size) return ids[Math.floor(size / oneOf)] ?? end;
    const first: string | undefined = ids.find((id) => id !== range.lowerId);
    if (first === undefined || first === end) return end;
    end = first;
  }
}

/** Ids in their order, read without the rest of their rows; of many only about one in `oneOf`. */
export interface Keys {
  readonly ids: readonly string[];
  readonly oneOf: number;
}

/** The ids of a range, for where a view fails for one of its orgs, whatever is read of it. Throws the view's error. */
export async function listKeys(tx: CellTransaction, range: KeyRange): Promise<Keys> {
  if (range.onlyIds != null) return { ids: await sortIds(tx, range), oneOf: 1 };
  return selectRow<Keys>(
    tx,
    `select k.ids::text[] as ids, k.one_of
     from credit_rollout.list_keys(:lower_id::credit_rollout.org_id, :upper_id::credit_rollout.org_id) k`,
    { lower_id: range.lowerId, upper_id: range.upperId },
  );
}

async function sortIds(tx: CellTransaction, range: KeyRange): Promise<readonly string[]> {
  const within = rangeCondition(range);
  const rows = await selectRows<{ readonly id: string }>(
    tx,
    `select i.org_id::text as id from (
       select distinct org_id from unnest(:only_ids::credit_rollout.org_id[]) u (org_id) where ${within.sql}) i
     order by i.org_id`,
    within.values,
  );
  return rows.map(({ id }) => id);
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
  { size, limit, mode }: { readonly size: number; readonly limit: number; readonly mode: SourceReadMode },
): Promise<readonly (string | null)[]> {
  if (mode === 'careful') return [await findSourceRangeEnd(tx, lowerId, { size, mode })];
  const first = await findSourceRangeEnd(tx, lowerId, { size, mode });
  if (first === null || limit === 1) return [first];
  const rows = await selectRows<{ readonly orgId: string | null }>(tx, NEXT_ENDS, { first_id: first, size, limit });
  return [first, ...rows.map(({ orgId }) => orgId)];
}
