// A BullMQ worker that starts when the queue can be used: one whose first connection fails keeps that failure for good.
import type { Job, Worker } from 'bullmq';
import type { Clock } from '../../src/kernel/clock.js';
import type { Log } from '../../src/kernel/log.js';
import { retryWithBackoff, withTimeout } from '../../src/kernel/retry.js';
import type { QueueConnection } from './connection.js';

export interface QueueWorkerOptions {
  readonly name: string;
  readonly concurrency: number;
  readonly process: (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<unknown>;
  readonly onCompleted?: () => void;
  readonly onFailed?: (error: Error) => void;
}

const PROBE_MS = 1_000;
const PROBE_TIMEOUT_MS = 1_000;
const CLOSE_MS = 4_000;

interface QueueWorkerContext {
  readonly clock: Clock;
  readonly log: Log;
}

/** Probes the queue until it can be used, then works. `stopping` ends the probing, `stop` the work. */
export function startQueueWorker(
  queue: QueueConnection,
  options: QueueWorkerOptions,
  { clock, log }: QueueWorkerContext,
  stopping: AbortSignal,
): { stop(): Promise<void> } {
  let worker: Worker | undefined;
  const started = (async () => {
    await retryWithBackoff(() => isUsable(queue, log), {
      clock,
      attempts: Number.POSITIVE_INFINITY,
      pauseMs: () => PROBE_MS,
      retriesResult: (usable) => !usable,
      signal: stopping,
    });
    if (!stopping.aborted) worker = create(queue, options, log);
  })();
  return {
    stop: async () => {
      await started;
      if (worker !== undefined) await close(worker, queue, { clock, log });
    },
  };
}

async function isUsable(queue: QueueConnection, log: Log): Promise<boolean> {
  try {
    await queue.check();
    return true;
  } catch (error) {
    log.debug('queue_not_usable', { code: (error as { code?: unknown }).code });
    return false;
  }
}

function create(queue: QueueConnection, options: QueueWorkerOptions, log: Log): Worker {
  const worker = queue.createWorker(options.name, options.process, { concurrency: options.concurrency });
  worker.on('error', (error) => log.debug('queue_worker_error', { err: error }));
  worker.on('completed', () => options.onCompleted?.());
  worker.on('failed', (_job, error) => options.onFailed?.(error));
  return worker;
}

/** `close()` hangs while Redis is down, and a forced one must then be the first call; it has a time-out in any case. */
async function close(worker: Worker, queue: QueueConnection, { clock, log }: QueueWorkerContext): Promise<void> {
  const usable = (await withTimeout(clock, PROBE_TIMEOUT_MS, isUsable(queue, log))) === true;
  const closed = worker.close(!usable).catch(() => undefined);
  await withTimeout(clock, CLOSE_MS, closed);
}
