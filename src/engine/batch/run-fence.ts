// A batch's way in: the shared lock first, then the row in a new statement (its snapshot must be younger than the wait).

import { lockFenceShared } from '../../stores/cell/batch/fence.js';
import { findOpenRun, type OpenRun } from '../../stores/cell/batch/open-run.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';

/** The run that may be written under this epoch; undefined: not ours to write, a normal outcome. */
export async function enterFence(tx: CellTransaction, epoch: bigint): Promise<OpenRun | undefined> {
  await lockFenceShared(tx);
  return findOpenRun(tx, epoch);
}
