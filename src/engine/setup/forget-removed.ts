// Wake-ups of data centers that were taken out: nobody takes them any more, and one that comes back must not find them.
import { listRemoved } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';

/**
 * Deletes the queue of each data center that was taken out, once for each process that asks: `forgotten` is what this
 * process has deleted, and is changed. `remove` and `uninstall` do it at once, unless they end before or have no queue.
 */
export async function forgetRemoved(
  { control, wakeUps }: Pick<EngineContext, 'control' | 'wakeUps'>,
  forgotten: Set<string>,
): Promise<void> {
  const removed = await control.inTransaction(listRemoved);
  for (const id of [...forgotten].filter((known) => !removed.includes(known))) forgotten.delete(id);
  for (const id of removed.filter((one) => !forgotten.has(one))) {
    await wakeUps.forget(id);
    forgotten.add(id);
  }
}
