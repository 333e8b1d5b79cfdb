// A worker's heartbeat in its cell, with the code of its last error. Runs every 5 s in a worker, and when that code
// changes: a hold must not be shown for longer than its cause is there.
import type { Service } from './service.js';

export interface Reporter {
  /**
   * Reports as things are; what is asked for while one is under way becomes one after it, so that the newest is last.
   */
  report(): Promise<void>;
  /** Resolves when none is under way any more. Never rejects. */
  settled(): Promise<void>;
}

/** `write` writes one heartbeat as things are when it is called. */
export function createReporter(write: () => Promise<void>): Reporter {
  let last: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    waiting = undefined;
    return write();
  };
  return {
    report: () => {
      waiting ??= last.catch(() => undefined).then(begin);
      last = waiting;
      return waiting;
    },
    settled: () => last.catch(() => undefined),
  };
}

export const reportAliveService = ({ report }: Reporter): Service => ({
  name: 'report_alive',
  intervalMs: 5_000,
  runOnce: async () => {
    await report();
  },
});
