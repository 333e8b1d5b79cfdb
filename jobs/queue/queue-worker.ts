// A BullMQ worker that begins when the queue can be used: one whose first connection fails remembers that for ever.
import type { Job, Worker } from 'bullmq';
import type { Clock } from '../../src/kernel/clock.js';
import type { Log } from '../../src/kernel/log.js';
import type { QueueConnection } from './connection.js';

export interface QueueWorkerOptions {
  readonly name: string;
  readonly concurrency: number;
  readonly process: (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<unknown>;
  readonly onCompleted?: () => void;
  readonly onFailed?: (error: Error) => void;
}

const PROBE_MS = 1_000;
const CLOSE_MS = 4_000;

/** Probes the queue until it answers, then works; `stopping` ends the probing, `stop` the working. */
export function startQueueWorker(
  queue: QueueConnection,
  options: QueueWorkerOptions,
  context: { readonly clock: Clock; readonly log: Log },
  stopping: AbortSignal,
): { stop(): Promise<void> } {
  let worker: Worker | undefined;
  const begun = (async () => {
    while (!stopping.aborted && !(await isUsable(queue, context.log))) await context.clock.sleep(PROBE_MS, stopping);
    if (!stopping.aborted) worker = create(queue, options, context.log);
  })();
  return {
    stop: async () => {
      await begun;
      if (worker !== undefined) await close(worker, queue, context);
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

const PROBE_TIMEOUT_MS = 1_000;

/** `close()` hangs when Redis is down, and a forced one must then be the first call; the deadline is ours all the same. */
async function close(
  worker: Worker,
  queue: QueueConnection,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const answers = await Promise.race([isUsable(queue, log), clock.sleep(PROBE_TIMEOUT_MS).then(() => false)]);
  const closed = worker.close(!answers).catch(() => undefined);
  const deadline = new AbortController();
  await Promise.race([closed, clock.sleep(CLOSE_MS, deadline.signal)]);
  deadline.abort();
}
