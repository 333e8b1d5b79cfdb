// Makes BullMQ's own scheduler add a tick every 2 s to the schedulers' queue. Runs in a scheduler every 4 s, because a
// queue that lost everything must get it back. It is updated or inserted, never removed.
import type { Queue } from 'bullmq';
import { errorCodeOf } from '../src/engine/database-errors.js';
import type { Clock } from '../src/kernel/clock.js';
import type { Log } from '../src/kernel/log.js';
import { withTimeout } from '../src/kernel/retry.js';
import type { QueueConnection } from './queue/connection.js';
import { SCHEDULER_QUEUE } from './queue/wake-ups.js';
import type { Service } from './service.js';

const TICK_MS = 2_000;
const INTERVAL_MS = 4_000;
const TIMEOUT_MS = 1_500;
const OPTIONS = { removeOnComplete: true, removeOnFail: { count: 10 } } as const;

export interface TickSchedule extends Service {
  /** Why the queue could not be used the last time, as a code; null: it could, or was not tried yet. */
  lastError(): string | null;
  /** Closes its queue object; after the last run. */
  close(): Promise<void>;
}

export function createTickSchedule(
  queue: QueueConnection,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): TickSchedule {
  let opened: Queue | undefined;
  const open = (): Queue => {
    opened = queue.createQueue(SCHEDULER_QUEUE);
    opened.on('error', (error) => log.debug('scheduler_queue_error', { err: error }));
    return opened;
  };
  let lastError: string | null = null;
  /** The check names the cause; where it finds none, the queue answers and does not do it. */
  const nameCause = async (): Promise<string> => {
    const checked = queue.check().then(
      () => 'queue_undeliverable',
      (error: unknown) => errorCodeOf(error),
    );
    return (await withTimeout(clock, TIMEOUT_MS, checked)) ?? 'queue_unreachable';
  };
  const close = async (): Promise<void> => {
    const closed = opened?.close().catch(() => undefined);
    opened = undefined;
    if (closed !== undefined) await withTimeout(clock, TIMEOUT_MS, closed);
  };
  return {
    name: 'schedule_ticks',
    intervalMs: INTERVAL_MS,
    runOnce: async () => {
      const upserted = (opened ?? open())
        .upsertJobScheduler('tick', { every: TICK_MS }, { name: 'tick', opts: OPTIONS })
        .then(
          () => true,
          () => false,
        );
      if ((await withTimeout(clock, TIMEOUT_MS, upserted)) === true) {
        lastError = null;
        return;
      }
      lastError = await nameCause();
      log.debug('job_scheduler_lost', { code: lastError });
      // a queue object whose first connection failed keeps that failure: the next run makes a new one
      await close();
    },
    lastError: () => lastError,
    close,
  };
}
