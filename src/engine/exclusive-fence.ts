// A change of a cell's fence, under its exclusive lock: while that is held, nothing of ours can commit in the cell.
// Does not wait for a batch that holds the fence longer than its lock time-out allows: the next tick tries again.
import { lockFenceExclusive } from '../stores/cell/batch/fence.js';
import type { CellDatabase, CellTransaction } from '../stores/cell/cell-database.js';
import { classifyFailure } from '../stores/postgres-failure.js';

/** The result of `change`; false as well when a batch still holds the fence, or the connection was cut. */
export async function withExclusiveFence(
  cell: CellDatabase,
  change: (tx: CellTransaction) => Promise<boolean>,
): Promise<boolean> {
  try {
    return await cell.inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      return change(tx);
    });
  } catch (error) {
    if (classifyFailure(error).kind === 'retry') return false;
    throw error;
  }
}
