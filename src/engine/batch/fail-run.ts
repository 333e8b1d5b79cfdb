// Stops a run that broke a rule: nothing of it was written; the fence closes at once, the scheduler names it failed.

import { closeFence, lockFenceExclusive, readFence } from '../../stores/cell/batch/fence.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import type { WorkerContext } from '../context.js';

/** Closes the fence with a code unless another epoch has taken over. */
export async function failRun(
  context: WorkerContext,
  cell: CellDatabase,
  epoch: bigint,
  code: string,
): Promise<{ readonly kind: 'failed'; readonly code: string }> {
  await cell.inTransaction('worker', async (tx) => {
    await lockFenceExclusive(tx);
    if ((await readFence(tx)).epoch === epoch) await closeFence(tx, code);
  });
  context.log.error('run_failed', { data_center: cell.dataCenter, epoch: String(epoch), code });
  await context.bells.wakeSchedulers();
  return { kind: 'failed', code };
}
