// How many orgs our views leave out. A number for people: what cannot be counted stops no plan and no night.
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { classifyFailure, isRowFailure } from '../../stores/postgres-failure.js';

const LIMIT_MS = 30_000;

/** Null: an id cannot be read, or the source takes too long, as a lock on it does. */
export async function countLeftOutAs(
  cell: CellDatabase,
  role: 'planner' | 'worker',
  count: (tx: CellTransaction) => Promise<number>,
): Promise<number | null> {
  try {
    return await cell.inTransaction(role, count, { statementMs: LIMIT_MS });
  } catch (error) {
    if (isRowFailure(error) || ['too_slow', 'retry'].includes(classifyFailure(error).kind)) return null;
    throw error;
  }
}
