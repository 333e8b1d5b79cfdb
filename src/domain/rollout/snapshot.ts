// Everything that the scheduler's decision may use: facts that were read before, and when.
import type { Throttle } from '../checks/decide-throttle.js';
import type { CheckReading } from '../checks/reading.js';
import type { ApprovalDecision } from '../plan/decide-approval.js';
import type { Intent, Stage } from './stage.js';

/** What was read in a cell. Counts only. */
export type CellReading =
  | { readonly kind: 'unreachable'; readonly code: string }
  | {
      readonly kind: 'read';
      readonly fence: FenceReading;
      /** The run that control names; undefined when the cell does not know it yet. */
      readonly run: RunReading | undefined;
      /** It has an undo that is newer than the run that control names; left out: it has none. */
      readonly undone?: boolean;
      /** `changed`: our views read another relation than the one that has the name of the source. */
      readonly source: 'attached' | 'detached' | 'changed';
      readonly workersAlive: number;
      /** Of the runs that are open there, each number once. */
      readonly openLanes: readonly number[];
      /** Code of the error that a worker reports instead of progress. */
      readonly lastError: string | null;
      /** Result of the bake query; undefined when there is none. */
      readonly bakeQuery: boolean | undefined;
      /** Code of why the bake query cannot be run; null when it can or there is none. */
      readonly bakeError: string | null;
      /** Left out: no check was asked for. */
      readonly checks?: CellChecks | undefined;
      /** The cell has other checks than control wants; left out: that was not asked. */
      readonly otherChecks?: boolean | undefined;
      readonly gate: GateReading;
      /** The oldest session because of which a gate that is due cannot be latched; null: none. */
      readonly gateHolder: { readonly pid: number | null; readonly since: Date | null } | null;
      /** Nothing of ours is written while it is there. */
      readonly freeze: FreezeReading | null;
      /** The maintenance run that control names; undefined when there is none or the cell does not know it yet. */
      readonly maintenance: MaintenanceReading | undefined;
    };

/** What is known of a cell's checks; every instant by its clock. */
export interface CellChecks {
  readonly now: Date;
  /** Of those that hold writes: the newest reading in the cell. */
  readonly readings: readonly CheckReading[];
  /** What the workers decided by them: for batches that write, and for those that only read. */
  readonly write: Throttle;
  readonly read: Throttle;
  /** Of those that hold the step that is due, the start or the end of the bake: as they were read just now. */
  readonly asked: readonly CheckReading[];
}

/** The sign-up gate of a cell. All instants by the cell's clock, but `configuredAt`, which control gave it. */
export interface GateReading {
  readonly configuredAt: Date | null;
  /** The later of the configured instant and the moment of arming; null: not armed. */
  readonly effectiveAt: Date | null;
  readonly latchedAt: Date | null;
  readonly sweptAt: Date | null;
}

export interface FreezeReading {
  readonly since: Date;
  readonly by: string;
  readonly reason: string | null;
}

/** A night or a sweep in its cell. */
export interface MaintenanceReading {
  /** What is to be written is known. */
  readonly detected: boolean;
  readonly pending: number;
  /** Batches that its present pass found; a sweep ends when there are none. */
  readonly found: number;
  /** Since the last batch, or since the fence was opened; by the cell's clock. In ms. */
  readonly idleMs: number;
}

export interface FenceReading {
  readonly state: 'open' | 'verifying' | 'closed';
  readonly epoch: bigint;
  readonly runId: bigint | null;
  /** Opened under the timeline that the cell still has. */
  readonly sameTimeline: boolean;
  /** Opened since the cell's server started last: else workers take it for closed. */
  readonly sameServer: boolean;
  readonly failure: string | null;
  /** The change feed may write. */
  readonly singleWrites: boolean;
}

/** What the requested rollout is to follow, and whether it may. */
export type PlanReading =
  /** None is requested. */
  | { readonly kind: 'none' }
  /** A worker is to make it; `failure`: the code of why it could not. */
  | { readonly kind: 'asked'; readonly planId: string; readonly failure: string | null }
  /** The cell holds another plan under its number, or none; or a run is under way that follows none. */
  | { readonly kind: 'unusable'; readonly code: 'plan_conflict' | 'plan_unknown' }
  /** It lies in the cell; control does not know it yet. */
  | { readonly kind: 'made'; readonly planId: string }
  | { readonly kind: 'registered'; readonly planId: string; readonly approval: ApprovalDecision };

/** The canary of a run. */
export interface CanaryReading {
  readonly passed: boolean;
  readonly pending: number;
  readonly unverified: number;
  readonly mismatches: number;
  /** Since the last of it was verified, by the cell's clock, in ms; null: it is not. */
  readonly verifiedForMs: number | null;
}

export interface RunReading {
  readonly canary: CanaryReading;
  /** Orgs left out because they changed since the plan, not settled yet. */
  readonly staleLeft: number;
  /** Orgs that were written. */
  readonly touched: number;
  /** The follow-up was made. */
  readonly followedUp: boolean;
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

/** A nightly run, a requested reconciliation, or the sweep after a cut-over. */
export interface MaintenanceRun {
  readonly runId: bigint;
  readonly kind: 'reconcile' | 'sweep';
  readonly epoch: bigint;
}

/** What else is to be done in a data center that is done, as control's rows say. */
export interface MaintenanceSnapshot {
  /** The run that holds the maintenance slot here; null: none. */
  readonly open: MaintenanceRun | null;
  /** The newest epoch of that run at which control has recorded that the fence is closed; null: none. */
  readonly closedEpoch: bigint | null;
  /** The newest night that is due and not over; null: none. */
  readonly night: { readonly localDate: string; readonly dueAt: Date } | null;
  /** A reconciliation is requested. */
  readonly requested: boolean;
  /** When its last run failed; null: the last one did not. */
  readonly failedAt: Date | null;
}

export interface PauseReading {
  /** When it was paused; null: an earlier version did it. */
  readonly since: Date | null;
  readonly by: string | null;
  readonly reason: string | null;
  /** When it ends by itself; null: a person ends it. */
  readonly until: Date | null;
}

export interface FailedStepReading {
  readonly step: string;
  readonly code: string;
  /** The object of the catalog that the server named. */
  readonly object: string | null;
  /** In a row. */
  readonly times: number;
}

export interface DataCenterSnapshot {
  readonly id: string;
  readonly position: number;
  /** IANA name. */
  readonly zone: string;
  /** The configured instant of its cut-over, as it was pinned or postponed; null: none. */
  readonly cutoverAt: Date | null;
  readonly cutoverLocal: string | null;
  /** Its gate as it was last read, which is what is known while its cell is not read. */
  readonly knownGate: GateReading;
  /** Control has recorded that the change feed may write. */
  readonly singleWrites: boolean;
  readonly maintenance: MaintenanceSnapshot;
  readonly stage: Stage;
  readonly intent: Intent;
  /** Null: it is not paused. */
  readonly pause: PauseReading | null;
  readonly fenceConfirmedClosed: boolean;
  readonly requested: boolean;
  /** An undo is to be run, and no run carries it out yet; left out: none. */
  readonly undoRequested?: boolean;
  /** It is at stage `failed`, and what failed is an undo. */
  readonly undoFailed: boolean;
  readonly runId: bigint | null;
  readonly epoch: bigint | null;
  readonly notBeforeAt: Date | null;
  readonly notBeforeLocal: string | null;
  readonly bakeUntil: Date | null;
  /** Batches at once that are wanted now. */
  readonly lanes: number;
  /** Wait between a verified canary and the rest, in ms. */
  readonly canaryWaitMs: number;
  /** How many orgs a plan and its follow-up may write at most; null: no limit. */
  readonly orgsTouched: number | null;
  readonly plan: PlanReading;
  readonly window: WindowReading;
  /** Steps that failed the last time they were tried. */
  readonly failedSteps: readonly FailedStepReading[];
  /** Undefined when nothing about the cell matters at this stage. */
  readonly cell: CellReading | undefined;
}

export interface Snapshot {
  /** Control's clock. */
  readonly now: Date;
  readonly dataCenters: readonly DataCenterSnapshot[];
}
