// A BullMQ worker that starts when the queue can be used, and starts again when the queue fails it. BullMQ repeats a
// request that fails without a pause: a worker whose first connection fails would repeat it for ever, and nothing else
// of its process would run again, not even the end on SIGTERM.
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
const READY_TIMEOUT_MS = 2_000;
const CLOSE_MS = 4_000;
const MAX_ERRORS = 20; // without a job in between, and within PROBE_MS

interface QueueWorkerContext {
  readonly clock: Clock;
  readonly log: Log;
}

interface OpenWorker {
  readonly worker: Worker;
  /** Resolves when its errors come so fast that they are repeated without a pause. */
  readonly broken: Promise<void>;
}

/** Probes the queue until it can be used, then works. `stopping` ends the probing, `stop` the work. */
export function startQueueWorker(
  queue: QueueConnection,
  options: QueueWorkerOptions,
  context: QueueWorkerContext,
  stopping: AbortSignal,
): { stop(): Promise<void> } {
  let current: OpenWorker | undefined;
  const stopped = new Promise<void>((resolve) => {
    if (stopping.aborted) resolve();
    stopping.addEventListener('abort', () => resolve(), { once: true });
  });
  const served = (async () => {
    while (!stopping.aborted) {
      current = await retryWithBackoff(() => open(queue, options, context), {
        clock: context.clock,
        attempts: Number.POSITIVE_INFINITY,
        pauseMs: () => PROBE_MS,
        retriesResult: (opened) => opened === undefined,
        signal: stopping,
      });
      await Promise.race([current?.broken, stopped]);
      if (stopping.aborted || current === undefined) return;
      context.log.warn('queue_worker_restarted', { queue: options.name });
      await close(current.worker, true, context);
      await context.clock.sleep(PROBE_MS, stopping);
    }
  })();
  return {
    stop: async () => {
      await served;
      if (current === undefined) return;
      // `close()` hangs while Redis is down, and a forced one must then be the first call
      const usable = await withTimeout(context.clock, PROBE_TIMEOUT_MS, isUsable(queue, context.log));
      await close(current.worker, usable !== true, context);
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

/** A worker that has its first connection and takes jobs; undefined where the queue cannot be used now. */
async function open(
  queue: QueueConnection,
  options: QueueWorkerOptions,
  context: QueueWorkerContext,
): Promise<OpenWorker | undefined> {
  if (!(await isUsable(queue, context.log))) return undefined;
  const worker = queue.createWorker(options.name, options.process, { concurrency: options.concurrency });
  const broken = watchErrors(worker, context);
  worker.on('completed', () => options.onCompleted?.());
  worker.on('failed', (_job, error) => options.onFailed?.(error));
  const ready = worker.waitUntilReady().then(
    () => true,
    () => false,
  );
  if ((await withTimeout(context.clock, READY_TIMEOUT_MS, ready)) !== true) {
    await close(worker, true, context);
    return undefined;
  }
  worker.run().catch((error: unknown) => worker.emit('error', error as Error));
  return { worker, broken };
}

function watchErrors(worker: Worker, { clock, log }: QueueWorkerContext): Promise<void> {
  let recent: readonly number[] = [];
  worker.on('completed', () => {
    recent = [];
  });
  return new Promise((resolve) => {
    worker.on('error', (error) => {
      log.debug('queue_worker_error', { err: error });
      const now = clock.now().getTime();
      recent = [...recent.filter((at) => Math.abs(now - at) < PROBE_MS), now];
      if (recent.length >= MAX_ERRORS) resolve();
    });
  });
}

/** Ends within its time-out in any case; `force`: does not wait for the jobs that run. */
async function close(worker: Worker, force: boolean, { clock }: QueueWorkerContext): Promise<void> {
  const closed = worker.close(force).catch(() => undefined);
  await withTimeout(clock, CLOSE_MS, closed);
}
