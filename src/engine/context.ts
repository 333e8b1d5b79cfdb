// What the engine's functions get as their first argument: small interfaces, declared here and implemented by compose.
import type { JobKind } from '../domain/rollout/decide-rollout.js';
import type { Clock } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import type { CellDatabase } from '../stores/cell/cell-database.js';
import type { ControlDatabase } from '../stores/control/control-database.js';

export type { JobKind } from '../domain/rollout/decide-rollout.js';

/** The queue as the engine sees it: it wakes processes up. A lost wake-up costs seconds, never state. */
export interface WakeUps {
  /** Adds jobs until about `want` of this kind wait or run for a data center. Never throws. */
  request(dataCenter: string, job: JobKind, epoch: bigint, want: number): Promise<void>;
  /**
   * Adds exactly these jobs, in their order, whatever the queue holds: when one ends and work is left. Never throws.
   */
  enqueue(dataCenter: string, jobs: readonly JobKind[], epoch: bigint): Promise<void>;
  /** Makes the schedulers tick. Never throws. */
  wakeSchedulers(): Promise<void>;
  /** Deletes the queue of a data center that was taken out, with every job in it. Never throws. */
  deleteQueue(dataCenter: string): Promise<void>;
}

/** The cells that this process may reach. */
export interface CellDirectory {
  /** Opens lazily; throws unknown_data_center or missing_environment_variable. */
  get(dataCenter: string): CellDatabase;
}

/** The context of workers: cells and queue, never control. */
export interface WorkerContext {
  readonly cells: CellDirectory;
  readonly wakeUps: WakeUps;
  readonly clock: Clock;
  readonly log: Log;
}

/** The context of schedulers and commands. */
export interface EngineContext extends WorkerContext {
  readonly control: ControlDatabase;
  /**
   * Who acts, for audit rows: the user of the machine on the embedded servers; null: the login that control
   * authenticated.
   */
  readonly actor: string | null;
}
