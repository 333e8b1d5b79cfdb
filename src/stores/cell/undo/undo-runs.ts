// The run of an undo in a cell: opened with the seal of control, and its ranges undone by the functions of the cell.
import { execute, selectRow } from '../../query.js';
import type { Seal } from '../../seal.js';
import type { CellTransaction } from '../cell-database.js';

/**
 * Opens the run of the accepted undo that control sealed. Idempotent. Raises `undo_outdated`, `undo_gate_armed`, and
 * what `readSealFailure` reads.
 */
export async function openSealedUndo(tx: CellTransaction, seal: Seal): Promise<void> {
  await execute(tx, 'select credit_rollout.open_undo(:seal::jsonb)', { seal });
}

export interface UndoneRange {
  readonly orgs: number;
  /** Deleted or restored; the others are conflicts. */
  readonly undone: number;
  readonly falls: number;
  /** What the undone ones had, as decimal text. */
  readonly total: string;
}

/**
 * Undoes a claimed range of the open run. Raises 40001, and nothing is undone, where a row changed meanwhile.
 */
export function undoRange(tx: CellTransaction, runId: bigint, batchNo: number): Promise<UndoneRange> {
  return selectRow<UndoneRange>(
    tx,
    `select orgs, undone, falls, total::text from credit_rollout.undo_range(:run_id::bigint, :batch_no::int)`,
    { run_id: runId, batch_no: batchNo },
  );
}

/** Whether an undo that is newer than the run began in this cell, whatever became of it. */
export async function hasUndoAfter(tx: CellTransaction, runId: bigint): Promise<boolean> {
  const { found } = await selectRow<{ readonly found: boolean }>(
    tx,
    `select exists (select from credit_rollout.runs where kind = 'undo' and run_id > :run_id::bigint) as found`,
    { run_id: runId },
  );
  return found;
}
