// Finds the orgs of a range whose columns cannot even be read (22xxx from the product's view), by halving.
import { classifyFailure } from '../postgres-failure.js';
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, withinRange } from './key-range.js';

// every column that a decision or a verification reads
const READ = 'edition, paid, agents, light_agents, additional_credits, negotiated_limit, created_at';

/** Ids in the range that raise an error; empty for a healthy range. They must not leave the cell's worker. */
export async function listUnreadable(tx: CellTransaction, range: KeyRange): Promise<readonly string[]> {
  if (await isReadable(tx, range)) return [];
  const middle = await findMiddle(tx, range);
  if (middle === undefined) return listIds(tx, range);
  const lower = await listUnreadable(tx, { lowerId: range.lowerId, upperId: middle });
  return [...lower, ...(await listUnreadable(tx, { lowerId: middle, upperId: range.upperId }))];
}

async function isReadable(tx: CellTransaction, range: KeyRange): Promise<boolean> {
  const within = withinRange(range);
  try {
    // a savepoint, so that the failure ends only itself
    await tx.transaction((nested) =>
      nested.raw(`select count((${READ})) from credit_rollout.source_orgs where ${within.sql}`, within.bindings),
    );
    return true;
  } catch (error) {
    if (classifyFailure(error).kind === 'bad_value') return false;
    throw error;
  }
}

/** An id that cuts the range into two smaller ones; undefined when it holds one id. */
async function findMiddle(tx: CellTransaction, range: KeyRange): Promise<string | undefined> {
  const within = withinRange(range);
  const { rows } = await tx.raw(
    `select org_id::text from (select distinct org_id from credit_rollout.source_orgs where ${within.sql}) ids order by ids.org_id
     offset (select count(distinct org_id) / 2 from credit_rollout.source_orgs where ${within.sql}) limit 1`,
    [...within.bindings, ...within.bindings],
  );
  const first = (await listIds(tx, range, 1))[0];
  return rows[0]?.org_id === first ? undefined : rows[0]?.org_id;
}

async function listIds(tx: CellTransaction, range: KeyRange, most?: number): Promise<readonly string[]> {
  const within = withinRange(range);
  const { rows } = await tx.raw(
    `select distinct s.org_id::text as id, s.org_id from credit_rollout.source_orgs s where ${within.sql} order by s.org_id
     ${most === undefined ? '' : 'limit ?'}`,
    [...within.bindings, ...(most === undefined ? [] : [most])],
  );
  return rows.map((row: { id: string }) => row.id);
}
