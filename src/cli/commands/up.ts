// `up`: scheduler and worker in one process; without a configuration, the embedded servers too. Starts no rollout by
// itself.
import type { Program } from '../../compose.js';
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { explainFailure } from '../../engine/database-errors.js';
import { readStatus } from '../../engine/operate/read-status.js';
import { initAll } from '../../engine/setup/init-all.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { loadCheckedCard } from '../arguments/load-checked-card.js';
import { serveUntilStopped } from '../processes/serve-until-stopped.js';
import { listenerProcess, schedulerProcess, workerProcesses } from '../processes/start-processes.js';
import { withProgram } from '../processes/with-program.js';
import { createLiveArea } from '../terminal/live-area.js';
import type { CliSession } from '../terminal/session.js';
import { showProgress } from '../views/show-progress.js';
import type { ListenFlag } from './scheduler.js';

/**
 * `up` keeps within 80 connections: control 4, producers 2 × 3 and the schedulers' queue 2; each data center's queue 2.
 */
const BUDGET = { all: 80, shared: 12, perQueue: 2 } as const;
const MIN_CONNECTIONS = 2;

/** Connections per cell, so that all together stay within the budget. */
export function divideConnections(dataCenters: number, lanes: number): number {
  const share = Math.floor((BUDGET.all - BUDGET.shared) / dataCenters) - BUDGET.perQueue;
  return Math.max(MIN_CONNECTIONS, Math.min(lanes + 4, share));
}

const connectionsOf = (config: RolloutConfig): number =>
  divideConnections(config.dataCenters.length, config.rollout.lanes);

export function runUp(session: CliSession, flags: ListenFlag): Promise<number> {
  return withProgram(session, { cellConnections: connectionsOf, policy: 'warned' }, async (program) => {
    const { config, embedded } = program;
    if (embedded !== undefined) {
      await program.seedSamples();
      const { engine, initQueue } = program;
      const { dataCenters } = config;
      await initAll(engine, { config, card: await loadCheckedCard(program), dataCenters, initQueue });
      session.print(`The embedded PostgreSQL serves ${config.dataCenters.map(({ id }) => id).join(', ')}.`);
    }
    session.print(`To request a rollout: ${session.commands.show('apply --all --execute')}. Ctrl-C stops.`);
    const concurrency = Math.max(1, Math.min(config.rollout.lanes, connectionsOf(config) - 1));
    const dataCenters = config.dataCenters.map(({ id }) => id);
    const processes = [
      ...listenerProcess(session, program, { process: 'both', dataCenters, ...flags }),
      schedulerProcess(session, program),
      ...workerProcesses(session, program, { dataCenters, queue: 'any', concurrency }),
    ];
    return serveUntilStopped(session, processes, (signal) => showChanges(session, program, signal));
  });
}

const POLL_INTERVAL_MS = 1_000;

/** Prints every change of a stage or a hold as a line of a log, so that other output stays readable. */
async function showChanges(session: CliSession, program: Program, signal: AbortSignal): Promise<void> {
  const io = { ...session.io, isTerminal: false };
  const area = createLiveArea({ ...session, io }, () => 0); // only changes
  const ids = program.config.dataCenters.map(({ id }) => id);
  while (!signal.aborted) {
    await program.engine.clock.sleep(POLL_INTERVAL_MS, signal);
    try {
      const status = await readStatus(program.engine);
      const key = status.dataCenters.map((dc) => `${dc.stage} ${dc.state} ${dc.holds[0]?.code}`).join();
      if (!session.options.json && !signal.aborted)
        area.draw(showProgress(status, ids, { paint: session.paint, width: session.width() }), key);
    } catch (error) {
      // the scheduler has printed what is missing
      if (!isRolloutError(explainFailure(error))) throw error;
    }
  }
}
