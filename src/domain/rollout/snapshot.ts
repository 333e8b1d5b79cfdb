// Everything the scheduler's decision may look at: facts, read before, with the time they hold for.
import type { Intent, Stage } from './stage.js';

/** What was read in a cell. Counts only. */
export type CellReading =
  | { readonly kind: 'unreachable'; readonly code: string }
  | {
      readonly kind: 'read';
      readonly fence: FenceReading;
      /** The run that control names; undefined when the cell does not know it yet. */
      readonly run: RunReading | undefined;
      /** Our views hang on the source. */
      readonly attached: boolean;
      readonly workersAlive: number;
      /** Code that a worker reports instead of progress. */
      readonly trouble: string | null;
      /** Result of the bake query; undefined when there is none. */
      readonly bakeQuery: boolean | undefined;
      /** Code of why the bake query cannot be run; null when it can or there is none. */
      readonly bakeTrouble: string | null;
    };

export interface FenceReading {
  readonly state: 'open' | 'verifying' | 'closed';
  readonly epoch: bigint;
  readonly runId: bigint | null;
  /** Opened under the timeline that the cell still has. */
  readonly sameTimeline: boolean;
  readonly failure: string | null;
}

export interface RunReading {
  readonly cut: boolean;
  readonly batches: number;
  readonly pending: number;
  readonly verified: number;
  readonly mismatches: number;
  /** Since the last batch or verification, or since the fence was opened; by the cell's clock. In ms. */
  readonly idleMs: number;
}

export interface WindowReading {
  readonly open: boolean;
  readonly reason: string;
  readonly changesAt: Date | null;
}

export interface DataCenterSnapshot {
  readonly id: string;
  readonly position: number;
  readonly stage: Stage;
  readonly intent: Intent;
  readonly quiet: boolean;
  readonly requested: boolean;
  readonly runId: bigint | null;
  readonly epoch: bigint | null;
  readonly notBeforeAt: Date | null;
  readonly notBeforeLocal: string | null;
  readonly bakeUntil: Date | null;
  readonly lanes: number;
  readonly window: WindowReading;
  /** Undefined when nothing about the cell matters at this stage. */
  readonly cell: CellReading | undefined;
}

export interface Snapshot {
  /** Control's clock. */
  readonly now: Date;
  readonly dataCenters: readonly DataCenterSnapshot[];
}
