// A batch's way in: the shared lock first, then the row in a new statement (its snapshot must be younger than the wait).
import { lockFenceExclusive, lockFenceShared, readFence, saveFenceClosed } from '../../stores/cell/batch/fence.js';
import { findOpenRun, type OpenRun } from '../../stores/cell/batch/open-run.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import type { WorkerContext } from '../context.js';

/** The run that may be written under this epoch; undefined: not ours to write, a normal outcome. */
export async function enterFence(tx: CellTransaction, epoch: bigint): Promise<OpenRun | undefined> {
  await lockFenceShared(tx);
  return findOpenRun(tx, epoch);
}

// Stops a run that broke a rule: nothing of it was written; the fence closes at once, the scheduler names it failed.

/** Closes the fence with a code unless another epoch has taken over. */
export async function failRun(
  context: WorkerContext,
  cell: CellDatabase,
  epoch: bigint,
  code: string,
): Promise<{ readonly kind: 'failed'; readonly code: string }> {
  await cell.inTransaction('worker', async (tx) => {
    await lockFenceExclusive(tx);
    if ((await readFence(tx)).epoch === epoch) await saveFenceClosed(tx, code);
  });
  context.log.error('run_failed', { data_center: cell.dataCenter, epoch: String(epoch), code });
  await context.wakeUps.wakeSchedulers();
  return { kind: 'failed', code };
}
