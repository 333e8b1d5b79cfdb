// A rollout in memory: control's rows, the cells behind them and what happened, at a virtual time. Replaces the two
// databases only: it never decides, and it rejects what they reject.
import type { DueState } from '../../src/domain/calendar/due-work.js';
import type { Intent, Stage } from '../../src/domain/rollout/stage.js';
import type { WindowSpec } from '../../src/domain/windows/windows.js';

export interface SimulatedGate {
  configuredAt: Date | null;
  effectiveAt: Date | null;
  latchedAt: Date | null;
  sweptAt: Date | null;
}

/** One decision of a sign-up, by its cell's clock. */
export interface SignUp {
  readonly at: Date;
  readonly model: 'legacy' | 'credits';
}

export interface Cell {
  up: boolean;
  workers: boolean;
  /** Its clock minus control's, in ms. */
  readonly skewMs: number;
  frozen: Date | null;
  fence: { state: 'open' | 'verifying' | 'closed'; epoch: bigint; runId: bigint | null; singleWrites: boolean };
  run: { runId: bigint; batches: number; pending: number; verified: number } | null;
  maintenance: {
    runId: bigint;
    kind: 'reconcile' | 'sweep';
    detected: boolean;
    pending: number;
    found: number;
    /** Sign-ups without allotment that its present pass saw. */
    seen: number;
  } | null;
  gate: SimulatedGate;
  /** Orgs that signed up on legacy and have no allotment yet. */
  missing: number;
  readonly signUps: SignUp[];
}

export interface DataCenter {
  readonly id: string;
  position: number;
  readonly zone: string;
  stage: Stage;
  intent: Intent;
  fenceConfirmedClosed: boolean;
  requested: boolean;
  runId: bigint | null;
  epoch: bigint | null;
  readonly notBeforeAt: Date | null;
  cutoverAt: Date | null;
  cutoverSetAt: Date;
  bakeUntil: Date | null;
  readonly bakeMs: number;
  readonly windows: readonly WindowSpec[];
  doneAt: Date | null;
  singleWrites: boolean;
  knownGate: SimulatedGate;
  failedAt: Date | null;
  version: number;
  /** In the order in which they were written. */
  readonly due: StoredDue[];
  readonly cell: Cell;
}

export interface StoredDue {
  readonly work: 'reconcile' | 'alarm_48h' | 'alarm_2h';
  readonly localDate: string;
  readonly dueAt: Date;
  state: DueState;
  note: string | null;
  readonly insertedAt: Date;
  startedAt: Date | null;
  runId: bigint | null;
}

export interface OpenMaintenance {
  readonly dataCenter: string;
  readonly runId: bigint;
  readonly kind: 'reconcile' | 'sweep';
  epoch: bigint;
  /** The newest epoch that is on record as closed. */
  closedEpoch: bigint | null;
}

/** What is asked about afterwards. */
export type Fact =
  | { readonly kind: 'activated'; readonly dataCenter: string; readonly at: Date }
  | {
      readonly kind: 'latched';
      readonly dataCenter: string;
      readonly at: Date;
      /** By the cell's clock. */
      readonly cellAt: Date;
      readonly effectiveAt: Date;
      readonly configuredAt: Date;
      readonly stage: Stage;
    }
  | { readonly kind: 'night'; readonly dataCenter: string; readonly localDate: string; readonly at: Date };

export interface World {
  now: Date;
  /** `reconcile.at`. */
  readonly nightAt: string;
  epoch: bigint;
  readonly dataCenters: readonly DataCenter[];
  /** The maintenance slot. */
  open: OpenMaintenance | null;
  readonly facts: Fact[];
}

export const NO_GATE: Readonly<SimulatedGate> = {
  configuredAt: null,
  effectiveAt: null,
  latchedAt: null,
  sweptAt: null,
};

export const cellNow = (world: World, dc: DataCenter): Date => new Date(world.now.getTime() + dc.cell.skewMs);

export function find(world: World, id: string): DataCenter {
  const dc = world.dataCenters.find((candidate) => candidate.id === id);
  if (dc === undefined) throw new Error(`no data center ${id}`);
  return dc;
}

export function createCell(skewMs: number): Cell {
  return {
    up: true,
    workers: true,
    skewMs,
    frozen: null,
    fence: { state: 'closed', epoch: 0n, runId: null, singleWrites: false },
    run: null,
    maintenance: null,
    gate: { ...NO_GATE },
    missing: 0,
    signUps: [],
  };
}

/** The newest rows are enough: what is missing comes after them. */
export const RECENT_ROWS = 6;

/** The newest of its nights that is due. */
export const findDueNight = ({ due }: DataCenter): StoredDue | undefined =>
  due.slice(-RECENT_ROWS).findLast(({ work, state }) => work === 'reconcile' && state === 'due');
