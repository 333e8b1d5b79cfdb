// The tick of a scheduler: takes every step that is due. Runs at each wake-up of the queue, which BullMQ's own
// scheduler adds every 2 s; and by itself every 4 s at most, sooner when an instant is due, so that it runs with the
// queue down as well.
import type { EngineContext } from '../src/engine/context.js';
import { errorCodeOf } from '../src/engine/database-errors.js';
import { nextPollDelay } from '../src/engine/scheduler/next-poll.js';
import { type SchedulerIdentity, tick } from '../src/engine/scheduler/tick.js';
import type { Service } from './service.js';

export interface TickProcessor {
  /** Never rejects: where control is down nothing starts, and the next tick tries again. */
  (): Promise<void>;
  /** The code of the last tick; null: it ended, or there was none. From memory: what fails may be the writing of it. */
  lastError(): string | null;
}

/** Processor of the schedulers' queue. */
export function createTickProcessor(context: EngineContext, scheduler: SchedulerIdentity): TickProcessor {
  let lastError: string | null = null;
  // the next tick says so in control, before anything of it can fail
  const identity: SchedulerIdentity = { ...scheduler, tickError: () => lastError };
  const processTick = async (): Promise<void> => {
    try {
      await tick(context, identity);
      lastError = null;
    } catch (error) {
      lastError = errorCodeOf(error);
      context.log.warn('tick_failed', { code: lastError, name: (error as Error).name });
    }
  };
  return Object.assign(processTick, { lastError: () => lastError });
}

const INTERVAL_MS = 4_000;

export const tickService = (context: EngineContext, processTick: () => Promise<void>): Service => ({
  name: 'tick',
  intervalMs: INTERVAL_MS,
  runOnce: async () => {
    await processTick();
    return nextPollDelay(context, INTERVAL_MS);
  },
});
