// Finds the orgs of a range whose columns cannot even be read, since a value of theirs or the code of the product's
// view fails, by splitting the range in two again and again. Decides nothing about them.
import { isRowFailure } from '../postgres-failure.js';
import { findRow, selectRow, selectRows } from '../query.js';
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, rangeCondition } from './key-range.js';
import { type Keys, listKeys } from './source-ranges.js';

// every column that a decision or a verification reads
export const READ_COLUMNS = 'edition, paid, agents, light_agents, additional_credits, negotiated_limit, created_at';

/** So many orgs, and none that can be read: the view is broken, and no org of them is. */
export const ALIKE = {
  /** Neighbours: one customer may have a few of them. */
  mostOfRange: 500,
  /** All that the source has. */
  leastOfSource: 10,
} as const;

/**
 * Ids in the range that raise an error; empty for a healthy range. They must not leave the cell's worker. Throws the
 * error where none of many neighbours, or of the whole source, can be read; a list of orgs may be of such orgs only.
 */
export async function listUnreadable(tx: CellTransaction, range: KeyRange): Promise<readonly string[]> {
  const found = await searchRange(tx, range);
  const isSource = range.lowerId === null && range.upperId === null && range.onlyIds == null;
  const enough = isSource ? ALIKE.leastOfSource : ALIKE.mostOfRange + 1;
  if (found.length >= enough && found.length === (await listIds(tx, range)).length) await readRange(tx, range);
  return found;
}

async function searchRange(tx: CellTransaction, range: KeyRange): Promise<readonly string[]> {
  if (await isReadable(tx, range)) return [];
  const middle = await findMiddle(tx, range);
  if (middle === undefined) return listIds(tx, range);
  const lower = await searchRange(tx, { ...range, upperId: middle });
  return [...lower, ...(await searchRange(tx, { ...range, lowerId: middle }))];
}

const PROBES = 16;
const OF_RUN = `select coalesce(b.lower_id, b.org_ids[1])::text as id from credit_rollout.batches b
  where b.run_id = :run_id::bigint and coalesce(b.lower_id, b.org_ids[1]) is not null
  order by md5(b.batch_no::text) limit :most`;
// of a large source only a part: this must be fast
const OF_SOURCE = `select s.id from (select distinct o.id from
    (select org_id::text as id from credit_rollout.source_orgs limit 10000) o) s
  order by md5(s.id) limit :most`;

/** Some orgs of the source. */
export const SAMPLED_ORGS = { sql: OF_SOURCE, values: { most: PROBES } } as const;

/**
 * Not one of several orgs from all over a run, or where it has few batches, of the source, can be read: its batches
 * would quarantine every org.
 */
export async function isSourceBroken(tx: CellTransaction, runId: bigint): Promise<boolean> {
  type Probe = { readonly id: string };
  const ofRun = await selectRows<Probe>(tx, OF_RUN, { run_id: runId, most: PROBES });
  const probes = ofRun.length < ALIKE.leastOfSource ? await sampleSource(tx) : ofRun;
  if (probes.length < ALIKE.leastOfSource) return false;
  for (const { id } of probes) if (await isReadable(tx, { lowerId: null, upperId: null, onlyIds: [id] })) return false;
  return true;
}

const sampleSource = (tx: CellTransaction): Promise<readonly { readonly id: string }[]> =>
  readOrByKeys(
    tx,
    { lowerId: null, upperId: null },
    (nested) => selectRows<{ readonly id: string }>(nested, OF_SOURCE, { most: PROBES }),
    ({ ids }) =>
      Array.from({ length: Math.min(PROBES, ids.length) }, (_, n) => ({
        id: ids[Math.floor((n * ids.length) / Math.min(PROBES, ids.length))] ?? '',
      })),
  );

async function readRange(tx: CellTransaction, range: KeyRange): Promise<void> {
  const { sql, values } = rangeCondition(range);
  await selectRow(tx, `select count((${READ_COLUMNS})) from credit_rollout.source_orgs where ${sql}`, values);
}

async function isReadable(tx: CellTransaction, range: KeyRange): Promise<boolean> {
  try {
    // a savepoint, so that an error ends only this statement
    await tx.transaction((nested) => readRange(nested, range));
    return true;
  } catch (error) {
    if (isRowFailure(error)) return false;
    throw error;
  }
}

/** An id that divides the range into two smaller ones; undefined when the range holds one id. */
async function findMiddle(tx: CellTransaction, range: KeyRange): Promise<string | undefined> {
  const { sql, values } = rangeCondition(range);
  return readOrByKeys(
    tx,
    range,
    async (nested) => {
      const middle = await findRow<{ readonly orgId: string }>(
        nested,
        `select org_id::text from (select distinct org_id from credit_rollout.source_orgs where ${sql}) ids
         order by ids.org_id
         offset (select count(distinct org_id) / 2 from credit_rollout.source_orgs where ${sql}) limit 1`,
        values,
      );
      const [first] = await readIds(nested, range, 1);
      return middle?.orgId === first ? undefined : middle?.orgId;
    },
    ({ ids }) => (ids.length < 2 ? undefined : ids[Math.floor(ids.length / 2)]),
  );
}

/** The orgs of a range. */
export const listIds = (tx: CellTransaction, range: KeyRange): Promise<readonly string[]> =>
  readOrByKeys(
    tx,
    range,
    (nested) => readIds(nested, range),
    ({ ids }) => ids,
  );

/** What `read` finds; where not even ids can be read, what is chosen of them alone. */
async function readOrByKeys<T>(
  tx: CellTransaction,
  range: KeyRange,
  read: (nested: CellTransaction) => Promise<T>,
  choose: (keys: Keys) => T,
): Promise<T> {
  try {
    return await tx.transaction(read);
  } catch (error) {
    if (!isRowFailure(error)) throw error;
    return choose(await listKeys(tx, range));
  }
}

async function readIds(tx: CellTransaction, range: KeyRange, limit: number | null = null): Promise<readonly string[]> {
  const { sql, values } = rangeCondition(range);
  const rows = await selectRows<{ readonly id: string }>(
    tx,
    `select distinct s.org_id::text as id, s.org_id from credit_rollout.source_orgs s where ${sql}
     order by s.org_id limit :limit::bigint`,
    { ...values, limit },
  );
  return rows.map(({ id }) => id);
}
