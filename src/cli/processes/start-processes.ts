// The scheduler and the workers of this process, each started once its database is there.
import type { Program, RunningProcess } from '../../compose.js';
import type { ListenAddress, ListenerOptions } from '../../compose-listener.js';
import { errorCodeOf } from '../../engine/database-errors.js';
import { readStatus } from '../../engine/operate/read-status.js';
import { reportGone } from '../../engine/worker/serve-cell.js';
import { systemClock } from '../../kernel/clock.js';
import { withTimeout } from '../../kernel/retry.js';
import type { CliSession } from '../terminal/session.js';
import type { ServedProcess } from './serve-until-stopped.js';
import { waitUntilReady } from './wait-until-ready.js';

/** What the ticks of a program's scheduler say, once it runs; its listener answers before. */
const tickErrors = new WeakMap<Program, () => string | null>();

export function schedulerProcess(session: CliSession, program: Program): ServedProcess {
  // what is wrong in webhooks is no outage: it fails before anything says that it runs
  program.webhooks.telling();
  return {
    start: async (signal) => {
      const control = await waitUntilReady(session, 'control database', () => readStatus(program.engine), signal);
      if (!control) return undefined;
      reportQueue(session, program, signal);
      session.print('▶ scheduler: running');
      const scheduler = await program.startScheduler();
      tickErrors.set(program, scheduler.tickError);
      return scheduler;
    },
  };
}

/** What the process says of itself over HTTP; it answers before its databases do. None where nobody asked for it. */
export function listenerProcess(
  session: CliSession,
  program: Program,
  { listen, ...served }: Pick<ListenerOptions, 'process' | 'dataCenters'> & { readonly listen?: ListenAddress },
): readonly ServedProcess[] {
  if (listen === undefined) return [];
  const start = async (): Promise<RunningProcess> => {
    const { startListener } = await import('../../compose-listener.js');
    const listener = await startListener(program, {
      ...served,
      address: listen,
      tickError: () => tickErrors.get(program)?.() ?? null,
    });
    session.print(`▶ listening: ${listener.address}/livez, /readyz and /metrics`);
    return listener;
  };
  return [{ start }];
}

export interface WorkerServed {
  readonly dataCenters: readonly string[];
  readonly queue: 'own' | 'any';
  readonly concurrency: number;
}

const NOBODY = '';

/** One per data center, so that a cell that is down keeps no other waiting. */
export function workerProcesses(session: CliSession, program: Program, served: WorkerServed): readonly ServedProcess[] {
  const { queue, concurrency } = served;
  // a missing variable or a wrong id is no outage: it fails at once
  for (const id of served.dataCenters) program.worker.cells.get(id);
  return served.dataCenters.map((dataCenter) => ({
    start: async (signal) => {
      // a sign of life that nobody gave is taken back: nothing changes, and schema and role are proven
      const reach = (): Promise<void> => reportGone(program.worker, dataCenter, NOBODY);
      const cell = await waitUntilReady(session, dataCenter, reach, signal);
      if (!cell) return undefined;
      reportQueue(session, program, signal);
      session.print(`▶ worker: serving ${dataCenter}, ${concurrency} at once`);
      return program.startWorker({ dataCenters: [dataCenter], queue, concurrency });
    },
  }));
}

/**
 * Beside the process, which takes its steps and finds its work without the queue as well, only later: it must not wait,
 * nor be shown as absent, because the queue is.
 */
function reportQueue(session: CliSession, program: Program, signal: AbortSignal): void {
  waitUntilReady(session, 'queue', () => program.checkQueue(), signal).catch((error: unknown) => {
    // the process ends: what it closes is no failure of the queue
    if (!signal.aborted) session.warn(`[${errorCodeOf(error)}] The queue cannot be checked.`);
  });
}

/** A scheduler and a worker inside this process, stopped together within a deadline. */
export interface Serving {
  start(options: { readonly dataCenters: readonly string[]; readonly concurrency: number }): Promise<void>;
  /** Stops taking work, lets the present batches end; returns after 6 s at the latest. Idempotent. */
  stop(): Promise<void>;
}

const STOP_MS = 5_500;

export function createServing(program: Program): Serving {
  const running: RunningProcess[] = [];
  return {
    start: async (options) => {
      running.push(await program.startScheduler());
      running.push(await program.startWorker({ ...options, queue: 'any' }));
    },
    stop: async () => {
      await withTimeout(systemClock, STOP_MS, Promise.allSettled(running.splice(0).map((process) => process.stop())));
    },
  };
}
