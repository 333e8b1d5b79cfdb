// A worker process: for each of its cells a queue worker and its services, started and stopped together. Never touches
// control.
import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import type { WorkerContext } from '../../src/engine/context.js';
import { errorCodeOf } from '../../src/engine/database-errors.js';
import { reportAlive, reportGone } from '../../src/engine/worker/serve-cell.js';
import { createCellProcessor } from '../cell.job.js';
import { createCellActivity } from '../cell-activity.js';
import { createUsageDrain, type DrainUsage, isDrainJob } from '../drain-usage.job.js';
import { feedService } from '../feed-changes.job.js';
import { pollCellService } from '../poll-cell.job.js';
import { prewarmService } from '../prewarm-connections.job.js';
import type { QueueConnection } from '../queue/connection.js';
import { startQueueWorker } from '../queue/queue-worker.js';
import { cellQueueName } from '../queue/wake-ups.js';
import { createReporter, reportAliveService } from '../report-alive.job.js';
import { sampleChecksService } from '../sample-checks.job.js';
import { runServices } from '../service.js';
import { writeSignUpsService } from '../write-sign-ups.job.js';

export interface RunningProcess {
  /** Stops taking work, waits for the batches that run, closes; never longer than its time-out. */
  stop(): Promise<void>;
}

export interface WorkerOptions {
  readonly dataCenters: readonly string[];
  readonly queue: QueueConnection;
  /** Jobs at once per data center; how many batches run at once is decided by the lanes in the cell. */
  readonly concurrency: number;
  /** How long without a job until the worker polls the cell, in ms; 10,000 when left out. */
  readonly pollMs?: number;
  /** What brings the usage that a meter counted; left out: of no data center. */
  readonly findDrain?: (dataCenter: string) => DrainUsage | undefined;
}

export function startWorker(context: WorkerContext, options: WorkerOptions): RunningProcess {
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // every service of every data center listens
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
  { queue, concurrency, pollMs, findDrain }: WorkerOptions,
  stopping: AbortSignal,
): RunningProcess {
  const log = context.log.child({ data_center: dataCenter });
  const reportLost = (error: unknown): void => log.debug('report_lost', { code: errorCodeOf(error) });
  const activity = createCellActivity(context.clock, () => void reporter.report().catch(reportLost));
  const reporter = createReporter(() => reportAlive(context, dataCenter, workerId, activity.lastError()));
  const processJob = createCellProcessor(context, dataCenter, activity.succeeded);
  const drain = createUsageDrain({ clock: context.clock, log }, { dataCenter, queue, drain: findDrain?.(dataCenter) });
  const worker = startQueueWorker(
    queue,
    {
      name: cellQueueName(dataCenter),
      concurrency,
      process: (job, token, signal) => {
        if (isDrainJob(job)) return drain.serve();
        activity.jobCame();
        return processJob(job, token, signal === undefined ? stopping : AbortSignal.any([signal, stopping]));
      },
      onCompleted: (job) => (isDrainJob(job) ? undefined : activity.succeeded()),
      onFailed: (error) => log.warn('job_failed', { code: activity.failed(error), name: error.name }),
    },
    context,
    stopping,
  );
  const services = [
    reportAliveService(reporter),
    pollCellService(context, { dataCenter, activity, pollMs }),
    prewarmService(context, { dataCenter, activity, lanes: concurrency }),
    sampleChecksService(context, dataCenter),
    feedService(context, dataCenter),
    writeSignUpsService(context, dataCenter),
    drain,
  ];
  const running = runServices(services, { clock: context.clock, log }, stopping);
  return {
    stop: async () => {
      await worker.stop();
      await running;
      await drain.close();
      await reporter.settled();
      await reportGone(context, dataCenter, workerId).catch((error) =>
        log.debug('gone_lost', { code: errorCodeOf(error) }),
      );
    },
  };
}
