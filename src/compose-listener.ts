// Composes the HTTP listener of a process: what it answers is read from its databases. No decisions.
import type { Program, RunningProcess } from './compose.js';
import { assertControlReady } from './engine/assert-control-ready.js';
import { listNotReady, type Need } from './engine/list-not-ready.js';
import { readMetrics } from './engine/operate/read-metrics.js';
import { readWorkerMetrics } from './engine/worker/read-worker-metrics.js';
import { reachCell } from './engine/worker/serve-cell.js';
import { createProcessServer } from './http/process-server.js';
import { systemClock } from './kernel/clock.js';
import { formatAddress, type ListenAddress, listenOn } from './platform/listen.js';

export interface ListenerOptions {
  readonly address: ListenAddress;
  /** What the process does; a worker never asks control. */
  readonly process: 'scheduler' | 'worker' | 'both';
  /** Of the worker. */
  readonly dataCenters: readonly string[];
  /** The code of the last tick of this process; null: it ended, or it has no scheduler. */
  readonly tickError: () => string | null;
}

export interface RunningListener extends RunningProcess {
  /** As people write it, with the port that was chosen. */
  readonly address: string;
}

/** How long the databases may take to answer, in ms: orchestrators wait for 1 s, Prometheus for 10. */
const READY_MS = 800;
const METRICS_MS = 2_000;

export type { ListenAddress };

/** @throws listen_refused */
export async function startListener(
  program: Program,
  { address, process, dataCenters, tickError }: ListenerOptions,
): Promise<RunningListener> {
  const queue: Need = { what: 'queue', ask: () => program.checkQueue() };
  const control: Need = { what: 'control', ask: () => assertControlReady(program.scheduler) };
  const cells = dataCenters.map((id): Need => ({ what: id, ask: () => reachCell(program.worker, id) }));
  const needs = [...(process === 'worker' ? [] : [control]), ...(process === 'scheduler' ? [] : cells), queue];
  const server = createProcessServer({
    clock: systemClock,
    listNotReady: async () => {
      const failing = await listNotReady(systemClock, READY_MS, needs);
      const code = tickError();
      return code === null ? failing : [...failing, { what: 'scheduler', code }];
    },
    readSamples: () =>
      process === 'worker'
        ? readWorkerMetrics(program.worker, dataCenters, METRICS_MS)
        : readMetrics(program.scheduler, METRICS_MS, tickError()),
  });
  const listening = await listenOn(server, address);
  return {
    address: formatAddress(listening),
    stop: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },
  };
}
