// Brings what gateways counted on a meter's Redis into the cell. BullMQ's own scheduler adds a job every 5 s, so that
// one of all workers does it; where none comes, the queue being away, each does it by itself. Never carries an org.
import type { Job, Queue } from 'bullmq';
import { errorCodeOf } from '../src/engine/database-errors.js';
import type { Clock } from '../src/kernel/clock.js';
import type { Log } from '../src/kernel/log.js';
import { withTimeout } from '../src/kernel/retry.js';
import type { QueueConnection } from './queue/connection.js';
import { cellQueueName } from './queue/wake-ups.js';
import type { Service } from './service.js';

/** What drains the meter of a data center; returns how many days of orgs it brought. */
export type DrainUsage = () => Promise<number>;

const EVERY_MS = 5_000;
/** Without a job for so long, the queue is away. */
const SILENT_MS = 3 * EVERY_MS;
const TIMEOUT_MS = 1_500;
const NOTHING_MS = 3_600_000;
const DRAIN = 'drain';
const OPTIONS = { removeOnComplete: true, removeOnFail: { count: 10 } } as const;

/** A job that is no work on a rollout: it says nothing about whether one goes on. */
export const isDrainJob = ({ name }: Pick<Job, 'name'>): boolean => name === DRAIN;

export interface UsageDrain extends Service {
  /** Of a job. Never rejects: what is not brought now is brought the next time. */
  serve(): Promise<string>;
  /** Closes its queue object; after the last run. */
  close(): Promise<void>;
}

/** `drain`: undefined where the data center has no meter, or this process does not know where it is. */
export function createUsageDrain(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  { dataCenter, queue, drain }: { dataCenter: string; queue: QueueConnection; drain: DrainUsage | undefined },
): UsageDrain {
  const now = (): number => clock.now().getTime();
  let opened: Queue | undefined;
  let lastMs = now();
  let failure: string | undefined;

  function open(): Queue {
    opened = queue.createQueue(cellQueueName(dataCenter));
    opened.on('error', (error) => log.debug('drain_queue_error', { err: error }));
    return opened;
  }

  async function close(): Promise<void> {
    const closed = opened?.close().catch(() => undefined);
    opened = undefined;
    if (closed !== undefined) await withTimeout(clock, TIMEOUT_MS, closed);
  }

  async function serve(): Promise<string> {
    if (drain === undefined) return 'no_meter';
    lastMs = now();
    try {
      const drained = await drain();
      failure = undefined;
      return `drained ${drained}`;
    } catch (error) {
      const code = errorCodeOf(error);
      // once: it is tried again every 5 s
      if (code !== failure) log.warn('usage_drain_failed', { code });
      failure = code;
      return code;
    }
  }

  return {
    name: 'drain_usage',
    intervalMs: EVERY_MS,
    runOnce: async () => {
      if (drain === undefined) return NOTHING_MS;
      const data = { dataCenter, kind: DRAIN };
      const upserted = (opened ?? open())
        .upsertJobScheduler(DRAIN, { every: EVERY_MS }, { name: DRAIN, data, opts: OPTIONS })
        .then(
          () => true,
          () => false,
        );
      // a queue object whose first connection failed keeps that failure: the next run makes a new one
      if ((await withTimeout(clock, TIMEOUT_MS, upserted)) !== true) await close();
      if (now() - lastMs >= SILENT_MS) await serve();
      return undefined;
    },
    serve,
    close,
  };
}
