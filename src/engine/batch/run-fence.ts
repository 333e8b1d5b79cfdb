// The fence as a batch uses it: enters it before it writes, and closes it when a rule is broken. The shared lock comes
// first, then the row in a new statement: its snapshot must be younger than the wait for the lock.
import type { ThrottleScope } from '../../stores/cell/batch/checks.js';
import { lockFenceExclusive, lockFenceShared, readFence, saveFenceClosed } from '../../stores/cell/batch/fence.js';
import { findOpenRun, type OpenRun } from '../../stores/cell/batch/open-run.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import type { WorkerContext } from '../context.js';

/** The run that may write under this epoch; undefined: this job may not write, which is a normal outcome. */
export async function enterFence(
  tx: CellTransaction,
  epoch: bigint,
  scope: ThrottleScope = 'write',
): Promise<OpenRun | undefined> {
  await lockFenceShared(tx);
  return findOpenRun(tx, epoch, scope);
}

/**
 * Stops a run whose batch broke a rule; nothing of the batch is written. Closes the fence with the code unless it is
 * under another epoch; the scheduler then moves the data center to the stage `failed`.
 */
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
