// Undoes one claimed range: the functions of the cell take back what the undone run wrote there, and leave what
// somebody else changed since. Decides nothing.
import type { BatchCounts, ClaimedBatch } from '../../stores/cell/batch/batches.js';
import type { OpenRun } from '../../stores/cell/batch/open-run.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { undoRange } from '../../stores/cell/undo/undo-runs.js';

/** `raised`: allotments that were taken away or put back; `stale`: conflicts, which are left as they are. */
export async function writeUndo(
  tx: CellTransaction,
  { runId }: Pick<OpenRun, 'runId'>,
  { batchNo }: Pick<ClaimedBatch, 'batchNo'>,
): Promise<BatchCounts> {
  const { orgs, undone, falls, total } = await undoRange(tx, runId, batchNo);
  return {
    orgs,
    inserted: 0,
    raised: undone,
    unchanged: 0,
    stale: orgs - undone,
    quarantined: 0,
    falls,
    totalCredits: total,
  };
}
