// Wake-ups of data centers that were taken out: nobody takes them any more, and one that comes back must not find them.
import { listRemoved } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';

/**
 * Deletes the queue of each data center that was taken out, once for each process that asks: `deleted` is what this
 * process has deleted, and is changed. `remove` and `uninstall` do it at once, unless they end before or have no queue.
 */
export async function deleteRemovedQueues(
  { control, wakeUps }: Pick<EngineContext, 'control' | 'wakeUps'>,
  deleted: Set<string>,
): Promise<void> {
  const removed = await control.inTransaction(listRemoved);
  for (const id of [...deleted].filter((known) => !removed.includes(known))) deleted.delete(id);
  for (const id of removed.filter((one) => !deleted.has(one))) {
    await wakeUps.deleteQueue(id);
    deleted.add(id);
  }
}
