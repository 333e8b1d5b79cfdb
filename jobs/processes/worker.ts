// A worker process: BullMQ workers on its cells' queues, a sign of life, the change feed, and a look at Postgres when no
// bell rings.
import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import type { WorkerContext } from '../../src/engine/context.js';
import { prewarmConnections } from '../../src/engine/worker/prewarm-connections.js';
import { errorCodeOf, reportAlive, reportGone, serveOpenWork } from '../../src/engine/worker/serve-cell.js';
import { createCellProcessor } from '../cell.job.js';
import type { QueueConnection } from '../queue/connection.js';
import { startQueueWorker } from '../queue/queue-worker.js';
import { cellQueueName } from '../queue/wake-ups.js';
import { runFeed } from './feed-loop.js';

/** Without a bell for this long the worker looks for itself, in ms. */
const POLL_MS = 10_000;
const ALIVE_MS = 5_000;
/** More often than an idle connection is given up, in ms. */
const PREWARM_MS = 15_000;

export interface RunningProcess {
  /** Stops taking work, lets the present batch end, closes; never longer than its deadline. */
  stop(): Promise<void>;
}

export interface WorkerOptions {
  readonly dataCenters: readonly string[];
  readonly queue: QueueConnection;
  /** Jobs at once per data center; lanes are held in the cell however many these are. */
  readonly concurrency: number;
  /** How long without a bell until the worker looks for itself, in ms; 10,000 when left out. */
  readonly pollMs?: number;
}

export function startWorker(context: WorkerContext, options: WorkerOptions): RunningProcess {
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // every loop of every data center waits for it
  const workerId = `${hostname()}:${process.pid}`;
  const served = options.dataCenters.map((dataCenter) =>
    serve(context, dataCenter, workerId, options, stopping.signal),
  );
  return {
    stop: async () => {
      stopping.abort();
      await Promise.allSettled(served.map((one) => one.stop()));
    },
  };
}

function serve(
  context: WorkerContext,
  dataCenter: string,
  workerId: string,
  options: WorkerOptions,
  stopping: AbortSignal,
): RunningProcess {
  const { pollMs = POLL_MS } = options;
  let lastJobAt = 0;
  let trouble: string | null = null;
  const log = context.log.child({ data_center: dataCenter });
  const processor = createCellProcessor(context, dataCenter);
  const worker = startQueueWorker(
    options.queue,
    {
      name: cellQueueName(dataCenter),
      concurrency: options.concurrency,
      process: (job, token, signal) => {
        lastJobAt = context.clock.now().getTime();
        return processor(job, token, signal === undefined ? stopping : AbortSignal.any([signal, stopping]));
      },
      onCompleted: () => {
        trouble = null;
      },
      onFailed: (error) => {
        trouble = errorCodeOf(error);
        log.warn('job_failed', { code: trouble, name: error.name });
      },
    },
    context,
    stopping,
  );
  const quietly = (event: string, act: () => Promise<unknown>): Promise<void> =>
    act().then(
      () => undefined,
      (error) => log.debug(event, { code: (error as { code?: unknown }).code }),
    );
  const loop = async (ms: number, act: () => Promise<void>): Promise<void> => {
    while (!stopping.aborted) {
      await act();
      await context.clock.sleep(ms, stopping);
    }
  };
  const alive = loop(ALIVE_MS, () => quietly('alive_lost', () => reportAlive(context, dataCenter, workerId, trouble)));
  // a clock that was set back says nothing about when a bell rang
  const isSilent = (ms: number): boolean => {
    const silentMs = context.clock.now().getTime() - lastJobAt;
    return silentMs < 0 || silentMs >= ms;
  };
  const poll = loop(pollMs, async () => {
    if (!isSilent(pollMs)) return;
    await quietly('poll_failed', async () => {
      try {
        if ((await serveOpenWork(context, dataCenter, stopping)) !== undefined) trouble = null;
      } catch (error) {
        trouble = errorCodeOf(error);
        throw error;
      }
    });
  });
  const warm = loop(PREWARM_MS, async () => {
    if (isSilent(PREWARM_MS)) await prewarmConnections(context, dataCenter, options.concurrency);
  });
  const feed = runFeed(context, dataCenter, stopping);
  return {
    stop: async () => {
      await worker.stop();
      await Promise.allSettled([alive, poll, warm, feed]);
      await quietly('gone_lost', () => reportGone(context, dataCenter, workerId));
    },
  };
}
