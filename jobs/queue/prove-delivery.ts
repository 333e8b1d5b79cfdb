// Proves that a queue delivers: sends one wake-up through it, there and back, under a name that nobody else uses, and
// removes it again. A server can be reached and yet accept nothing: a replica, a full one, a node of a cluster.
import { randomBytes } from 'node:crypto';
import type { Queue, Worker } from 'bullmq';
import { systemClock } from '../../src/kernel/clock.js';
import { retryWithBackoff, withTimeout } from '../../src/kernel/retry.js';
import { checkQueue, connectQueue, type QueueTls } from './connection.js';
import { createLostError, explainQueueFailure, isRefused } from './failures.js';

/** For one wake-up, and for the end of each connection. */
const DELIVERY_MS = 5_000;
const CLOSE_MS = 1_000;
const ATTEMPTS = 40;
const PAUSE_MS = 50;

/** Throws queue_unreachable, queue_refused, queue_undeliverable and what `checkQueue` throws. Leaves nothing behind. */
export async function proveDelivery(url: string, tls?: QueueTls): Promise<void> {
  await checkQueue(url, tls);
  const connection = connectQueue(url, tls);
  const name = `credit-rollout-check-${randomBytes(6).toString('hex')}`;
  const queue = connection.createQueue(name);
  let deliver: () => void = () => undefined;
  const delivered = new Promise<void>((resolve) => {
    deliver = resolve;
  });
  const worker = connection.createWorker(name, async () => deliver(), { concurrency: 1 });
  const failed = new Promise<never>((_, reject) => {
    queue.on('error', reject);
    worker.on('error', reject);
  });
  failed.catch(() => undefined);
  try {
    const there = send(queue, worker).then(() => delivered);
    const back = await withTimeout(systemClock, DELIVERY_MS, Promise.race([there.then(() => true), failed]));
    if (back !== true) throw createLostError(url);
  } catch (error) {
    throw explainQueueFailure(url, error);
  } finally {
    await Promise.allSettled([closeInTime(worker.close(true)), closeInTime(queue.obliterate({ force: true }))]);
    await closeInTime(queue.close());
    connection.close();
  }
}

async function send(queue: Queue, worker: Worker): Promise<void> {
  // a producer rejects everything until its connection is open
  await retryWithBackoff(() => queue.add('check', {}, { removeOnComplete: true, removeOnFail: true }), {
    clock: systemClock,
    attempts: ATTEMPTS,
    pauseMs: () => PAUSE_MS,
    retriesError: (error) => !isRefused(error),
  });
  await worker.waitUntilReady();
  // until it is closed
  worker.run().catch((error: unknown) => worker.emit('error', error as Error));
}

const closeInTime = (closing: Promise<unknown>): Promise<unknown> =>
  withTimeout(
    systemClock,
    CLOSE_MS,
    closing.catch(() => undefined),
  );
