// Locks on the rows of allotments, ascending so that two of them never wait for each other. What is read in the next statement
// is what is written on.
import type { CellTransaction } from '../cell-database.js';

/** An override that is being approved is waited for. */
export async function lockAllotments(tx: CellTransaction, orgIds: readonly string[]): Promise<void> {
  await tx.raw(
    'select from credit_rollout.allotments where org_id = any (?::credit_rollout.org_id[]) order by org_id for update',
    [[...orgIds]],
  );
}
