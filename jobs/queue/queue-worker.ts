// A BullMQ worker that takes jobs once its connection is ready. BullMQ repeats a request whose first connection failed
// for ever and without a pause: nothing else of its process would run again, not even the end on SIGTERM.
import type { Job, Worker } from 'bullmq';
import { errorCodeOf } from '../../src/engine/database-errors.js';
import type { Clock } from '../../src/kernel/clock.js';
import type { Log } from '../../src/kernel/log.js';
import { retryWithBackoff, withTimeout } from '../../src/kernel/retry.js';
import type { QueueConnection } from './connection.js';

export interface QueueWorkerOptions {
  readonly name: string;
  readonly concurrency: number;
  readonly process: (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<unknown>;
  readonly onCompleted?: (job: Job) => void;
  readonly onFailed?: (error: Error) => void;
}

/**
 * What the queue stores of a job that failed: a code. The error itself may have the text of a cell's server, with org
 * data in it, and BullMQ stores message and stack.
 */
class JobFailure extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.name = 'JobFailure';
    this.code = code;
    this.stack = '';
  }
}

const PROBE_MS = 1_000;
const PROBE_TIMEOUT_MS = 1_000;
const READY_TIMEOUT_MS = 2_000;
const CLOSE_MS = 4_000;

interface QueueWorkerContext {
  readonly clock: Clock;
  readonly log: Log;
}

/** Probes the queue until it can be used, then works. `stopping` ends the probing, `stop` the work. */
export function startQueueWorker(
  queue: QueueConnection,
  options: QueueWorkerOptions,
  context: QueueWorkerContext,
  stopping: AbortSignal,
): { stop(): Promise<void> } {
  const opened = retryWithBackoff(() => open(queue, options, context), {
    clock: context.clock,
    attempts: Number.POSITIVE_INFINITY,
    pauseMs: () => PROBE_MS,
    retriesResult: (worker) => worker === undefined,
    signal: stopping,
  });
  return {
    stop: async () => {
      const worker = await opened;
      if (worker === undefined) return;
      // `close()` hangs while Redis is down, and a forced one must then be the first call
      const usable = await withTimeout(context.clock, PROBE_TIMEOUT_MS, isUsable(queue, context.log));
      await close(worker, usable !== true, context);
    },
  };
}

async function isUsable(queue: QueueConnection, log: Log): Promise<boolean> {
  try {
    await queue.check();
    return true;
  } catch (error) {
    log.debug('queue_not_usable', { code: errorCodeOf(error) });
    return false;
  }
}

/** A worker that has its first connection and takes jobs; undefined where the queue cannot be used now. */
async function open(
  queue: QueueConnection,
  options: QueueWorkerOptions,
  context: QueueWorkerContext,
): Promise<Worker | undefined> {
  if (!(await isUsable(queue, context.log))) return undefined;
  const process: QueueWorkerOptions['process'] = (job, token, signal) =>
    options.process(job, token, signal).catch((error: unknown) => {
      throw new JobFailure(errorCodeOf(error));
    });
  const worker = queue.createWorker(options.name, process, { concurrency: options.concurrency });
  worker.on('error', (error) => context.log.debug('queue_worker_error', { err: error }));
  worker.on('completed', (job) => options.onCompleted?.(job));
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
  return worker;
}

/** Ends within its time-out in any case; `force`: does not wait for the jobs that run. */
async function close(worker: Worker, force: boolean, { clock }: QueueWorkerContext): Promise<void> {
  const closed = worker.close(force).catch(() => undefined);
  await withTimeout(clock, CLOSE_MS, closed);
}
