// A scheduler process: its queue worker and its services, started and stopped together. Several may run at once.
import { hostname } from 'node:os';
import { actAs } from '../../src/engine/act-as.js';
import type { EngineContext } from '../../src/engine/context.js';
import { withCircuitBreaker } from '../../src/engine/scheduler/cell-circuit-breaker.js';
import { reportSchedulerGone } from '../../src/engine/scheduler/next-poll.js';
import type { SchedulerIdentity } from '../../src/engine/scheduler/tick.js';
import type { SendWebhook, Webhook } from '../../src/engine/webhooks/deliver.js';
import { auditService } from '../audit-cells.job.js';
import { deleteRemovedQueuesService } from '../delete-removed-queues.job.js';
import { webhookService } from '../deliver-webhooks.job.js';
import { purgeService } from '../purge.job.js';
import type { QueueConnection } from '../queue/connection.js';
import { startQueueWorker } from '../queue/queue-worker.js';
import { SCHEDULER_QUEUE } from '../queue/wake-ups.js';
import { auditHeadsService } from '../record-audit-heads.job.js';
import { reportLoginService } from '../report-login.job.js';
import { createTickSchedule } from '../schedule-ticks.job.js';
import { runServices } from '../service.js';
import { createTickProcessor, tickService } from '../tick.job.js';
import type { RunningProcess } from './worker.js';

/** Who is told, and how a message is sent. */
export interface Telling {
  readonly webhooks: readonly Webhook[];
  readonly send: SendWebhook;
}

interface RunningScheduler extends RunningProcess {
  /** The code of its last tick; null: it ended, or there was none. */
  tickError(): string | null;
}

/** `config`: that of the process; where it differs from the policy, the policy applies, and control shows it. */
export function startScheduler(
  engine: EngineContext,
  queue: QueueConnection,
  config?: SchedulerIdentity['config'],
  telling?: Telling,
): RunningScheduler {
  const cells = withCircuitBreaker(engine.cells, engine.clock);
  const context = actAs({ ...engine, cells }, 'scheduler');
  const stopping = new AbortController();
  const schedulerId = `${hostname()}:${process.pid}`;
  const schedule = createTickSchedule(queue, context);
  const processTick = createTickProcessor(context, { schedulerId, config, queueError: schedule.lastError });
  const worker = startQueueWorker(
    queue,
    { name: SCHEDULER_QUEUE, concurrency: 1, process: processTick },
    context,
    stopping.signal,
  );
  const services = [
    auditHeadsService(context),
    auditService(context),
    deleteRemovedQueuesService(context),
    purgeService(context),
    reportLoginService(context),
    schedule,
    tickService(context, processTick),
    ...(telling === undefined || telling.webhooks.length === 0
      ? []
      : [webhookService({ ...context, send: telling.send }, telling.webhooks)]),
  ];
  const running = runServices(services, context, stopping.signal);
  return {
    tickError: processTick.lastError,
    stop: async () => {
      stopping.abort();
      await worker.stop();
      await running;
      await schedule.close();
      queue.close();
      await reportSchedulerGone(context, schedulerId).catch(() => undefined);
    },
  };
}
