// The freeze of a cell: one row that every writer of ours asks for, so that it holds with queue and control down.
// Never waits for a lock to be frozen: the row stands first, the fence proves it afterwards.
import type { CellTransaction } from '../cell-database.js';

export interface FreezeRow {
  readonly since: Date;
  readonly by: string;
  readonly reason: string | null;
  /** When it was proven that nothing that began before it commits any more; null: not yet. */
  readonly acknowledgedAt: Date | null;
}

/** Only for SQL that reads the cell's other rows anyway; needs the fence's lock, taken in an earlier statement. */
export const FROZEN = 'exists (select from credit_rollout.freezes where lifted_at is null)';

/** The freeze that holds now; null: none. */
export async function readFreeze(tx: CellTransaction): Promise<FreezeRow | null> {
  const { rows } = await tx.raw(
    `select frozen_at as since, frozen_by as by, reason, acknowledged_at as "acknowledgedAt"
     from credit_rollout.freezes where lifted_at is null`,
  );
  return rows[0] ?? null;
}

/** Nothing of ours begins once this is committed; false when the cell was frozen already, which keeps its reason. `by` null: the login. */
export async function freezeCell(
  tx: CellTransaction,
  { by, reason }: { readonly by: string | null; readonly reason: string | null },
): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `insert into credit_rollout.freezes (frozen_by, reason) values (coalesce(?, session_user), ?)
     on conflict ((true)) where lifted_at is null do nothing`,
    [by, reason],
  );
  return rowCount === 1;
}

/** Needs the exclusive lock, taken after the freeze was committed: what held the fence before has ended. */
export async function acknowledgeFreeze(tx: CellTransaction): Promise<void> {
  await tx.raw(
    'update credit_rollout.fence set single_writes = false, changed_at = clock_timestamp() where single_writes',
  );
  await tx.raw(
    `update credit_rollout.freezes set acknowledged_at = clock_timestamp() where lifted_at is null and acknowledged_at is null`,
  );
}

/** Lifts the freeze; false when the cell was not frozen. `by` null: the login. */
export async function unfreezeCell(
  tx: CellTransaction,
  { by, reason }: { readonly by: string | null; readonly reason: string | null },
): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout.freezes set lifted_at = clock_timestamp(), lifted_by = coalesce(?, session_user), lift_reason = ?
     where lifted_at is null`,
    [by, reason],
  );
  return rowCount === 1;
}
