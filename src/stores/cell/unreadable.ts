// Finds the orgs of a range whose columns cannot even be read (errors 22xxx from the product's view), by splitting the
// range in two again and again. Decides nothing about them.
import { classifyFailure } from '../postgres-failure.js';
import { findRow, selectRow, selectRows } from '../query.js';
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, rangeCondition } from './key-range.js';

// every column that a decision or a verification reads
const READ_COLUMNS = 'edition, paid, agents, light_agents, additional_credits, negotiated_limit, created_at';

/** Ids in the range that raise an error; empty for a healthy range. They must not leave the cell's worker. */
export async function listUnreadable(tx: CellTransaction, range: KeyRange): Promise<readonly string[]> {
  if (await isReadable(tx, range)) return [];
  const middle = await findMiddle(tx, range);
  if (middle === undefined) return listIds(tx, range);
  const lower = await listUnreadable(tx, { lowerId: range.lowerId, upperId: middle });
  return [...lower, ...(await listUnreadable(tx, { lowerId: middle, upperId: range.upperId }))];
}

async function isReadable(tx: CellTransaction, range: KeyRange): Promise<boolean> {
  const { sql, values } = rangeCondition(range);
  try {
    // a savepoint, so that an error ends only this statement
    await tx.transaction((nested) =>
      selectRow(nested, `select count((${READ_COLUMNS})) from credit_rollout.source_orgs where ${sql}`, values),
    );
    return true;
  } catch (error) {
    if (classifyFailure(error).kind === 'bad_value') return false;
    throw error;
  }
}

/** An id that divides the range into two smaller ones; undefined when the range holds one id. */
async function findMiddle(tx: CellTransaction, range: KeyRange): Promise<string | undefined> {
  const { sql, values } = rangeCondition(range);
  const middle = await findRow<{ readonly orgId: string }>(
    tx,
    `select org_id::text from (select distinct org_id from credit_rollout.source_orgs where ${sql}) ids
     order by ids.org_id
     offset (select count(distinct org_id) / 2 from credit_rollout.source_orgs where ${sql}) limit 1`,
    values,
  );
  const [first] = await listIds(tx, range, 1);
  return middle?.orgId === first ? undefined : middle?.orgId;
}

async function listIds(tx: CellTransaction, range: KeyRange, limit: number | null = null): Promise<readonly string[]> {
  const { sql, values } = rangeCondition(range);
  const rows = await selectRows<{ readonly id: string }>(
    tx,
    `select distinct s.org_id::text as id, s.org_id from credit_rollout.source_orgs s where ${sql}
     order by s.org_id limit :limit::bigint`,
    { ...values, limit },
  );
  return rows.map(({ id }) => id);
}
