// The freeze of a cell: one row that every writer of ours reads first, so that it holds while queue and control are
// down. Freezing never waits for a lock: the row is written first, and the fence's lock proves afterwards that nothing
// is open.
import { execute, findRow, selectRow } from '../../query.js';
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

/**
 * The freeze that holds now; null: none. Several hold where one was being lifted as another came: then the first of
 * which nothing that began before commits.
 */
export async function readFreeze(tx: CellTransaction): Promise<FreezeRow | null> {
  const row = await findRow<FreezeRow>(
    tx,
    `select frozen_at as since, frozen_by as by, reason, acknowledged_at
     from credit_rollout.freezes where lifted_at is null order by acknowledged_at nulls last, freeze_id limit 1`,
  );
  return row ?? null;
}

/**
 * `by`: the person, as the program knows them; null: the login of this connection. The cell writes its login beside
 * another name.
 */
export interface FreezeChange {
  readonly by: string | null;
  readonly reason: string | null;
}

/**
 * Nothing of ours begins once this is committed. False when the cell was frozen already; that freeze stays as it is.
 */
export async function freezeCell(tx: CellTransaction, { by, reason }: FreezeChange): Promise<boolean> {
  const { frozen } = await selectRow<{ readonly frozen: boolean }>(
    tx,
    'select credit_rollout.freeze_cell(:by, :reason) as frozen',
    { by, reason },
  );
  return frozen;
}

/**
 * Needs the exclusive lock, taken after the freeze was committed: whoever held the fence before has ended. Throws
 * SQLSTATE 55P03 where another session holds the lock.
 */
export async function acknowledgeFreeze(tx: CellTransaction): Promise<void> {
  await execute(
    tx,
    'update credit_rollout.fence set single_writes = false, changed_at = clock_timestamp() where single_writes',
  );
  await execute(tx, 'select credit_rollout.acknowledge_freeze()');
}

/** Lifts the freeze; false when the cell was not frozen. */
export async function unfreezeCell(tx: CellTransaction, { by, reason }: FreezeChange): Promise<boolean> {
  const { lifted } = await selectRow<{ readonly lifted: boolean }>(
    tx,
    'select credit_rollout.lift_freeze(:by, :reason) as lifted',
    { by, reason },
  );
  return lifted;
}
