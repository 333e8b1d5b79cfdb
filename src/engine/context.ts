// What engine verbs are given. Small ports, owned here and filled in by compose.
import type { JobKind } from '../domain/rollout/decide-step.js';

import type { Clock } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import type { CellDatabase } from '../stores/cell/cell-database.js';
import type { ControlDatabase } from '../stores/control/control-database.js';

export type { JobKind } from '../domain/rollout/decide-step.js';

/** The queue as the engine sees it: a bell. Losing a ring costs seconds, never state. */
export interface WakeUps {
  /** Makes sure that about `want` jobs of this kind wait or run for a data center. Never throws. */
  request(dataCenter: string, job: JobKind, epoch: bigint, want: number): Promise<void>;
  /** Adds exactly these jobs, in their order, without looking what is there: at the start, and after one's end. Never throws. */
  enqueue(dataCenter: string, jobs: readonly JobKind[], epoch: bigint): Promise<void>;
  /** Wakes the schedulers. Never throws. */
  wakeSchedulers(): Promise<void>;
}

/** WakeUps for commands that have no queue: the next tick and the workers' own polling do the rest. */
export const noWakeUps: WakeUps = {
  request: async () => undefined,
  enqueue: async () => undefined,
  wakeSchedulers: async () => undefined,
};

/** The cells that this process may reach. */
export interface CellDirectory {
  /** Opens lazily; throws unknown_data_center or missing_environment_variable. */
  get(dataCenter: string): CellDatabase;
}

/** A worker's context: its cells and the queue, never control. */
export interface WorkerContext {
  readonly cells: CellDirectory;
  readonly wakeUps: WakeUps;
  readonly clock: Clock;
  readonly log: Log;
}

/** The context of schedulers and commands. */
export interface EngineContext extends WorkerContext {
  readonly control: ControlDatabase;
  /** Who acts, for audit rows: the OS user on the embedded default, else null: the login that control authenticated. */
  readonly actor: string | null;
}
