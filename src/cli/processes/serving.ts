// A scheduler and a worker inside this process, stopped together within a deadline.
import type { Program, RunningProcess } from '../../compose.js';
import { within } from './with-program.js';

export interface Serving {
  start(options: { readonly dataCenters: readonly string[]; readonly concurrency: number }): void;
  /** Stops taking work, lets the present batches end; returns after 6 s at the latest. Idempotent. */
  stop(): Promise<void>;
}

const STOP_MS = 5_500;

export function createServing(program: Program): Serving {
  const running: RunningProcess[] = [];
  return {
    start: (options) => {
      running.push(program.startScheduler());
      running.push(program.startWorker({ ...options, queue: 'any' }));
    },
    stop: async () => {
      await within(STOP_MS, Promise.allSettled(running.splice(0).map((process) => process.stop())));
    },
  };
}
