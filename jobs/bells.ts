// The queue as a bell: one queue per data center and one for the schedulers. A lost ring costs seconds, so nothing here throws.
import type { Queue } from 'bullmq';
import type { Bells } from '../src/engine/context.js';
import type { Log } from '../src/kernel/log.js';
import type { QueueConnection } from './queue-connection.js';

export const SCHEDULER_QUEUE = 'credit-rollout-scheduler';

/** Queue of a data center. */
export const cellQueueName = (dataCenter: string): string => `credit-rollout-${dataCenter}`;

const KEEP = { removeOnComplete: true, removeOnFail: { count: 100 } } as const;

export interface QueueBells extends Bells {
  close(): Promise<void>;
}

export function createBells(connection: QueueConnection, log: Log): QueueBells {
  const queues = new Map<string, Queue>();
  const open = (name: string): Queue => {
    const found = queues.get(name);
    if (found) return found;
    const queue = connection.createQueue(name);
    queue.on('error', (error) => log.debug('queue_error', { queue: name, err: error }));
    queues.set(name, queue);
    return queue;
  };
  const quietly = async (event: string, act: () => Promise<unknown>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      log.debug(event, { err: error });
    }
  };
  return {
    ring: (dataCenter, job, epoch, want) =>
      quietly('ring_lost', async () => {
        const queue = open(cellQueueName(dataCenter));
        const { waiting = 0, active = 0 } = await queue.getJobCounts('waiting', 'active');
        const missing = Math.max(0, want - waiting - (job === 'cut' ? 0 : active));
        const data = { dataCenter, epoch: String(epoch), kind: job };
        await queue.addBulk(Array.from({ length: missing }, () => ({ name: job, data, opts: KEEP })));
      }),
    wakeSchedulers: () => quietly('wake_lost', () => open(SCHEDULER_QUEUE).add('tick', {}, KEEP)),
    close: async () => {
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
    },
  };
}
