// A scheduler process: ticks when a bell rings and on its own every few seconds. Several may run at once.
import { hostname } from 'node:os';
import type { EngineContext } from '../../src/engine/context.js';
import { purgePlans } from '../../src/engine/plan/purge-plans.js';
import { purgeDrift } from '../../src/engine/reconcile/purge-drift.js';
import { auditCells } from '../../src/engine/scheduler/audit-cells.js';
import { withCircuitBreaker } from '../../src/engine/scheduler/cell-circuit-breaker.js';
import {
  nextPollDelay,
  type ReconcileSettings,
  reportSchedulerGone,
  saveReconcileSettings,
} from '../../src/engine/scheduler/next-poll.js';
import { tick } from '../../src/engine/scheduler/tick.js';
import { systemClock } from '../../src/kernel/clock.js';
import type { Log } from '../../src/kernel/log.js';
import type { QueueConnection } from '../queue/connection.js';
import { startQueueWorker } from '../queue/queue-worker.js';
import { SCHEDULER_QUEUE } from '../queue/wake-ups.js';
import type { RunningProcess } from './worker.js';

/** BullMQ's scheduler rings this often; the own loop below looks even when the queue is down. In ms. */
const WAKE_UP_INTERVAL_MS = 2_000;
const POLL_INTERVAL_MS = 4_000;
/** How often verified cells are looked at again, in ms; apart from the ticks, so that a dead cell delays nothing. */
const AUDIT_MS = 30_000;
/** How often what is over is forgotten, and once when a scheduler starts. */
const PURGE_MS = 86_400_000;

export interface SchedulerOptions {
  /** `rollout.planRetention`, in days; left out: no plan is forgotten. */
  readonly planRetentionDays?: number;
  /** `reconcile.driftRetention`, in days; left out: no finding is forgotten. */
  readonly driftRetentionDays?: number;
  /** The nights' time and caps; left out: as an earlier scheduler or `init` said. */
  readonly reconcile?: ReconcileSettings;
}

export function startScheduler(
  engine: EngineContext,
  queue: QueueConnection,
  { planRetentionDays, driftRetentionDays, reconcile }: SchedulerOptions = {},
): RunningProcess {
  const cells = withCircuitBreaker(engine.cells, engine.clock);
  const context: EngineContext = { ...engine, cells, actor: 'scheduler' };
  const stopping = new AbortController();
  const schedulerId = `${hostname()}:${process.pid}`;
  const { log } = context;
  let told = false;
  const look = async (): Promise<void> => {
    try {
      if (!told && reconcile !== undefined) await saveReconcileSettings(context, reconcile);
      told = true;
      await tick(context, schedulerId);
    } catch (error) {
      // the control database is away: nothing starts, nothing is lost, the next look tries again
      log.warn('tick_failed', { code: (error as { code?: unknown }).code, name: (error as Error).name });
    }
  };
  const worker = startQueueWorker(
    queue,
    { name: SCHEDULER_QUEUE, concurrency: 1, process: look },
    context,
    stopping.signal,
  );
  const inspect = (): Promise<unknown> => auditCells(context).catch(() => log.debug('audit_failed'));
  const audit = (async () => {
    while (!stopping.signal.aborted) {
      await inspect();
      await context.clock.sleep(AUDIT_MS, stopping.signal);
    }
  })();
  const forget = async (
    event: string,
    days: number | undefined,
    forgetOld: typeof purgePlans | typeof purgeDrift,
  ): Promise<void> => {
    if (days === undefined) return;
    await forgetOld(context, { retentionDays: days, signal: stopping.signal }).catch(() => log.debug(event));
  };
  const purge = (async () => {
    while (!stopping.signal.aborted) {
      await forget('forget_plans_failed', planRetentionDays, purgePlans);
      await forget('forget_drift_failed', driftRetentionDays, purgeDrift);
      await context.clock.sleep(PURGE_MS, stopping.signal);
    }
  })();
  const tickSchedule = createTickSchedule(queue, log);
  const ringing = (async () => {
    while (!stopping.signal.aborted) {
      await tickSchedule.assert();
      await context.clock.sleep(POLL_INTERVAL_MS, stopping.signal);
    }
  })();
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      await look();
      await context.clock.sleep(await nextPollDelay(context, POLL_INTERVAL_MS), stopping.signal);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await worker.stop();
      await Promise.allSettled([loop, audit, purge, ringing]);
      await tickSchedule.close();
      queue.close();
      await reportSchedulerGone(context, schedulerId).catch(() => undefined);
    },
  };
}

const TIMEOUT_MS = 1_500;

/**
 * Upserts the job scheduler again and again, never removes it: a queue that lost everything gets it back. After a failure
 * the queue object is made anew, because one that met it at first keeps it.
 */
function createTickSchedule(queue: QueueConnection, log: Log): { assert(): Promise<void>; close(): Promise<void> } {
  let bell: ReturnType<QueueConnection['createQueue']> | undefined;
  const open = () => {
    bell = queue.createQueue(SCHEDULER_QUEUE);
    bell.on('error', (error) => log.debug('scheduler_queue_error', { err: error }));
    return bell;
  };
  const close = async (): Promise<void> => {
    const closed = bell?.close().catch(() => undefined);
    bell = undefined;
    await Promise.race([closed, systemClock.sleep(TIMEOUT_MS)]);
  };
  const assert = async (): Promise<void> => {
    const upserted = (bell ?? open()).upsertJobScheduler(
      'tick',
      { every: WAKE_UP_INTERVAL_MS },
      { name: 'tick', opts: KEEP },
    );
    const rang = upserted.then(
      () => true,
      () => false,
    );
    if (await Promise.race([rang, systemClock.sleep(TIMEOUT_MS).then(() => false)])) return;
    log.debug('job_scheduler_lost');
    await close();
  };
  return { assert, close };
}

const KEEP = { removeOnComplete: true, removeOnFail: { count: 10 } } as const;
