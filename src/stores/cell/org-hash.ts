// One org's id as control's audit may hold it: a hash that cannot be looked up without the cell.
import type { CellTransaction } from './cell-database.js';

/** 64 hex digits. Ids are easily guessed, so the cell's system identifier, which control does not know, goes into it. */
export async function hashOrgId(tx: CellTransaction, orgId: string): Promise<string> {
  const { rows } = await tx.raw(
    `select encode(sha256(convert_to(concat_ws('/', system_identifier, data_center, (?::credit_rollout.org_id)::text), 'UTF8')), 'hex') as hash
     from credit_rollout.cell`,
    [orgId],
  );
  return rows[0].hash;
}
