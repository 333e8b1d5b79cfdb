// Hashes of orgs: of one org's inputs and outcome as an SQL expression, and of an org's id. Never hashes in JavaScript.
import { selectRow } from '../query.js';
import type { CellTransaction } from './cell-database.js';

// A chain of Postgres's own hash functions: half the cost of hash_record_extended, for the same columns. Where an org
// is decided, only its negotiated limit may be null; the hash of an undecidable org is null.
const HASHED = ['light_agents', 'agents', 'additional_credits', 'total_credits'] as const;

/**
 * Hash of the columns that decide and of what they decide: what a digest covers. The same for a row of `decided`,
 * `planned` or `allotments`.
 */
export const rowHash = (row: string): string =>
  HASHED.reduce(
    (seed, column) => `hashint8extended(${row}.${column}, ${seed})`,
    `hashint8extended(coalesce(${row}.negotiated_limit, -1), hashtextextended(${row}.org_id::text,
      hashtextextended(${row}.edition, ${row}.paid::int)))`,
  );

/**
 * An org's id as control's audit may hold it, 64 hex digits. Ids are easy to guess, so the hash includes the cell's
 * system identifier, which control does not know.
 */
export async function hashOrgId(tx: CellTransaction, orgId: string): Promise<string> {
  const { hash } = await selectRow<{ readonly hash: string }>(
    tx,
    `select encode(sha256(convert_to(
       concat_ws('/', system_identifier, data_center, (:org_id::credit_rollout.org_id)::text), 'UTF8')), 'hex') as hash
     from credit_rollout.cell`,
    { org_id: orgId },
  );
  return hash;
}
