// The hash of one org's inputs and outcome, the same over `decided`, `planned` and `allotments`. An SQL expression.
import type { CellTransaction } from './cell-database.js';

// A chain of Postgres's own hash functions: half the price of hash_record_extended, for the same columns. Only a negotiated
// limit may be null where an org is decided; of others the hash is null.
const HASHED = ['light_agents', 'agents', 'additional_credits', 'total_credits'] as const;

/** The columns that decide and what they decide: what a digest covers. Of `decided`, and alike of `allotments`. */
export const rowHash = (row: string): string =>
  HASHED.reduce(
    (seed, column) => `hashint8extended(${row}.${column}, ${seed})`,
    `hashint8extended(coalesce(${row}.negotiated_limit, -1), hashtextextended(${row}.org_id::text,
      hashtextextended(${row}.edition, ${row}.paid::int)))`,
  );

// One org's id as control's audit may hold it: a hash that cannot be looked up without the cell.

/** 64 hex digits. Ids are easily guessed, so the cell's system identifier, which control does not know, goes into it. */
export async function hashOrgId(tx: CellTransaction, orgId: string): Promise<string> {
  const { rows } = await tx.raw(
    `select encode(sha256(convert_to(concat_ws('/', system_identifier, data_center, (?::credit_rollout.org_id)::text), 'UTF8')), 'hex') as hash
     from credit_rollout.cell`,
    [orgId],
  );
  return rows[0].hash;
}
