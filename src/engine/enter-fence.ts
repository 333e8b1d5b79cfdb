// A batch's way in: the shared lock first, then the row in a new statement (its snapshot must be younger than the wait).
import type { CellTransaction } from '../stores/cell/cell-database.js';
import { lockFenceShared } from '../stores/cell/fence.js';
import { findOpenRun, type OpenRun } from '../stores/cell/open-run.js';

/** The run that may be written under this epoch; undefined: not ours to write, a normal outcome. */
export async function enterFence(tx: CellTransaction, epoch: bigint): Promise<OpenRun | undefined> {
  await lockFenceShared(tx);
  return findOpenRun(tx, epoch);
}
