// The queue as a bell: one queue per data center and one for the schedulers. A lost ring costs seconds, so nothing here throws.
import type { Queue } from 'bullmq';
import type { JobKind, WakeUps } from '../../src/engine/context.js';
import { systemClock } from '../../src/kernel/clock.js';
import type { Log } from '../../src/kernel/log.js';
import type { QueueConnection } from './connection.js';

export const SCHEDULER_QUEUE = 'credit-rollout-scheduler';

/** Queue of a data center. */
export const cellQueueName = (dataCenter: string): string => `credit-rollout-${dataCenter}`;

/** More jobs than this in one queue are not of our making. */
const MAX_SEEN = 200;
const KEEP = { removeOnComplete: true, removeOnFail: { count: 100 } } as const;

/** Longest that anybody waits for a bell, in ms: a queue that is down must not slow a tick down. */
const TIMEOUT_MS = 1_500;
const PAUSES_MS = [25, 50, 100, 200, 400] as const;

/** Tries again for a moment: a producer refuses everything until its connection stands. Ringing twice is harmless. */
async function insist(act: () => Promise<unknown>): Promise<void> {
  for (const pause of PAUSES_MS) {
    const rung = await act().then(
      () => true,
      () => false,
    );
    if (rung) return;
    await systemClock.sleep(pause);
  }
  await act();
}

export interface QueueWakeUps extends WakeUps {
  close(): Promise<void>;
}

export function createWakeUps(connection: QueueConnection, log: Log): QueueWakeUps {
  const queues = new Map<string, Queue>();
  const open = (name: string): Queue => {
    const found = queues.get(name);
    if (found) return found;
    const queue = connection.createQueue(name);
    queue.on('error', (error) => log.debug('queue_error', { queue: name, err: error }));
    queues.set(name, queue);
    return queue;
  };
  const quietly = (event: string, act: () => Promise<unknown>): Promise<void> => {
    const lost = (error: unknown): void => {
      log.debug(event, { err: error });
      // a queue object whose first connection failed keeps that failure: the next ring gets a new one
      if (connection.kind === 'postgres') queues.clear();
    };
    return Promise.race([insist(act).catch(lost), systemClock.sleep(TIMEOUT_MS)]);
  };
  return {
    request: (dataCenter, job, epoch, want) =>
      quietly('wake_up_lost', async () => {
        const queue = open(cellQueueName(dataCenter));
        // only this kind under this epoch counts: the cutting job is no lane, an older epoch's jobs do nothing
        const present = await queue.getJobs(['waiting', 'active'], 0, MAX_SEEN);
        const same = present.filter((one) => one?.name === job && one.data?.epoch === String(epoch));
        const missing = Math.max(0, want - same.length);
        const next = toJob(dataCenter, job, epoch);
        await queue.addBulk(Array.from({ length: missing }, () => next));
      }),
    enqueue: (dataCenter, jobs, epoch) =>
      quietly('wake_up_lost', () =>
        open(cellQueueName(dataCenter)).addBulk(jobs.map((job) => toJob(dataCenter, job, epoch))),
      ),
    wakeSchedulers: () => quietly('wake_up_lost', () => open(SCHEDULER_QUEUE).add('tick', {}, KEEP)),
    close: async () => {
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
      connection.close();
    },
  };
}

const toJob = (dataCenter: string, job: JobKind, epoch: bigint) => ({
  name: job,
  data: { dataCenter, epoch: String(epoch), kind: job },
  opts: KEEP,
});
