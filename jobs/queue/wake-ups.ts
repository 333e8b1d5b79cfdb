// The queue as what wakes processes up: one queue per data center and one for the schedulers. A lost wake-up costs
// seconds, so nothing here throws.
import type { Queue } from 'bullmq';
import type { JobKind, WakeUps } from '../../src/engine/context.js';
import { systemClock } from '../../src/kernel/clock.js';
import type { Log } from '../../src/kernel/log.js';
import { retryWithBackoff, withTimeout } from '../../src/kernel/retry.js';
import type { QueueConnection } from './connection.js';

export const SCHEDULER_QUEUE = 'credit-rollout-scheduler';

/** Queue of a data center. */
export const cellQueueName = (dataCenter: string): string => `credit-rollout-${dataCenter}`;

/** More jobs than this in one queue are not ours: none is added to them. */
const MAX_SEEN = 200;
/** Ticks that wait: while no scheduler runs, workers go on asking for one. */
const MAX_TICKS = 10;
const OPTIONS = { removeOnComplete: true, removeOnFail: { count: 100 } } as const;

/** How long a caller waits for the queue, in ms: one that is down must not slow a tick down. */
const TIMEOUT_MS = 1_500;
/** A producer rejects everything until its connection is open. A wake-up that is sent twice does no harm. */
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 25;

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
  const attempt = async (send: () => Promise<unknown>): Promise<void> => {
    const sent = retryWithBackoff(send, {
      clock: systemClock,
      attempts: ATTEMPTS,
      pauseMs: (made) => FIRST_PAUSE_MS * 2 ** (made - 1),
    }).catch((error: unknown) => {
      log.debug('wake_up_lost', { err: error });
      // a queue object whose first connection failed keeps that failure: the next wake-up makes a new one
      if (connection.kind === 'postgres') queues.clear();
    });
    await withTimeout(systemClock, TIMEOUT_MS, sent);
  };
  return {
    request: (dataCenter, job, epoch, want) =>
      attempt(async () => {
        const queue = open(cellQueueName(dataCenter));
        // only this kind under this epoch counts: the cutting job is no lane, an older epoch's jobs do nothing
        const present = await queue.getJobs(['waiting', 'active'], 0, MAX_SEEN);
        const same = present.filter((one) => one?.name === job && one.data?.epoch === String(epoch));
        const missing = present.length >= MAX_SEEN ? 0 : Math.max(0, want - same.length);
        const next = toJob(dataCenter, job, epoch);
        await queue.addBulk(Array.from({ length: missing }, () => next));
      }),
    enqueue: (dataCenter, jobs, epoch) =>
      attempt(async () => {
        const queue = open(cellQueueName(dataCenter));
        if ((await queue.getWaitingCount()) < MAX_SEEN)
          await queue.addBulk(jobs.map((job) => toJob(dataCenter, job, epoch)));
      }),
    wakeSchedulers: () =>
      attempt(async () => {
        const queue = open(SCHEDULER_QUEUE);
        if ((await queue.getWaitingCount()) < MAX_TICKS) await queue.add('tick', {}, OPTIONS);
      }),
    deleteQueue: (dataCenter) => attempt(() => open(cellQueueName(dataCenter)).obliterate({ force: true })),
    close: async () => {
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
      connection.close();
    },
  };
}

const toJob = (dataCenter: string, job: JobKind, epoch: bigint) => ({
  name: job,
  data: { dataCenter, epoch: String(epoch), kind: job },
  opts: OPTIONS,
});
