// A scheduler process: ticks when a bell rings and on its own every few seconds. Several may run at once.
import { hostname } from 'node:os';
import { auditCells } from '../src/engine/audit-cells.js';
import type { EngineContext } from '../src/engine/context.js';
import { reportSchedulerGone } from '../src/engine/report-scheduler.js';
import { tick } from '../src/engine/tick.js';
import { SCHEDULER_QUEUE } from './bells.js';
import type { QueueConnection } from './queue-connection.js';
import { closeWorker, type RunningProcess } from './worker.js';

/** BullMQ's scheduler rings this often; the own loop below looks even when the queue is down. In ms. */
const RING_MS = 2_000;
const LOOK_MS = 4_000;
/** How often verified cells are looked at again, in ms; apart from the ticks, so that a dead cell delays nothing. */
const AUDIT_MS = 30_000;

export function startScheduler(engine: EngineContext, queue: QueueConnection): RunningProcess {
  const context: EngineContext = { ...engine, actor: 'scheduler' };
  const stopping = new AbortController();
  const schedulerId = `${hostname()}:${process.pid}`;
  const { log } = context;
  const look = async (): Promise<void> => {
    try {
      await tick(context, schedulerId);
    } catch (error) {
      // the control database is away: nothing starts, nothing is lost, the next look tries again
      log.warn('tick_failed', { code: (error as { code?: unknown }).code, name: (error as Error).name });
    }
  };
  const worker = queue.createWorker(SCHEDULER_QUEUE, look, { concurrency: 1 });
  worker.on('error', (error) => log.debug('scheduler_queue_error', { err: error }));
  const bell = queue.createQueue(SCHEDULER_QUEUE);
  bell.on('error', (error) => log.debug('scheduler_queue_error', { err: error }));
  const inspect = (): Promise<unknown> => auditCells(context).catch(() => log.debug('audit_failed'));
  const audit = (async () => {
    while (!stopping.signal.aborted) {
      await inspect();
      await context.clock.sleep(AUDIT_MS, stopping.signal);
    }
  })();
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      await assertRinging(bell).catch(() => log.debug('job_scheduler_lost'));
      await look();
      await context.clock.sleep(LOOK_MS, stopping.signal);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await closeWorker(worker, context);
      await Promise.allSettled([loop, audit]);
      await reportSchedulerGone(context, schedulerId).catch(() => undefined);
      await Promise.race([bell.close().catch(() => undefined), context.clock.sleep(1_000)]);
    },
  };
}

/** Upserted again and again, never removed: a queue that lost everything gets its scheduler back. */
async function assertRinging(bell: ReturnType<QueueConnection['createQueue']>): Promise<void> {
  await bell.upsertJobScheduler(
    'tick',
    { every: RING_MS },
    { name: 'tick', opts: { removeOnComplete: true, removeOnFail: { count: 10 } } },
  );
}
