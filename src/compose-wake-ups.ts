// Wake-ups that connect to their queue when the first is sent. No decisions.
import type { QueueWakeUps } from '../jobs/queue/wake-ups.js';
import type { EngineContext } from './engine/context.js';
import { systemClock } from './kernel/clock.js';
import { withTimeout } from './kernel/retry.js';

/** A queue that is down must not keep a command from ending, in ms. */
const CLOSE_MS = 2_000;
export function lazyWakeUps(
  create: () => Promise<QueueWakeUps>,
  closers: (() => Promise<void>)[],
): EngineContext['wakeUps'] {
  let opened: Promise<QueueWakeUps> | undefined;
  const open = (): Promise<QueueWakeUps> => {
    const created = create();
    opened = created;
    closers.push(() => {
      const close = created.then((queue) => queue.close());
      return withTimeout(systemClock, CLOSE_MS, close);
    });
    return created;
  };
  return {
    request: async (...args) => (await (opened ?? open())).request(...args),
    enqueue: async (...args) => (await (opened ?? open())).enqueue(...args),
    wakeSchedulers: async () => (await (opened ?? open())).wakeSchedulers(),
    deleteQueue: async (...args) => (await (opened ?? open())).deleteQueue(...args),
  };
}
