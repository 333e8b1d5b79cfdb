// Readings for suites of the scheduler's decisions: a data center, its cell, fence, run and canary, of which a test
// changes what it is about. Never more than one fact beside what a healthy run has.
import type { ApprovalDecision, RecordedApproval } from '../../../src/domain/plan/decide-approval.js';
import type { ReadCell, Step } from '../../../src/domain/rollout/decision.js';
import type {
  CellReading,
  DataCenterSnapshot,
  FenceReading,
  FreezeReading,
  GateReading,
  MaintenanceReading,
  PlanReading,
  RunReading,
} from '../../../src/domain/rollout/snapshot.js';

export const NOW = new Date('2025-10-07T10:00:00Z');
export const LATER = new Date('2025-10-08T10:00:00Z');

const fence = (change: Partial<FenceReading> = {}): FenceReading => ({
  state: 'open',
  epoch: 5n,
  runId: 5n,
  sameTimeline: true,
  sameServer: true,
  failure: null,
  singleWrites: false,
  ...change,
});
/** Not armed, no cut-over configured. */
export const UNARMED: GateReading = { configuredAt: null, effectiveAt: null, latchedAt: null, sweptAt: null };
export const FREEZE: FreezeReading = { since: NOW, by: 'alice', reason: null };
export const PASSED: RunReading['canary'] = {
  passed: true,
  pending: 0,
  unverified: 0,
  mismatches: 0,
  verifiedForMs: null,
};
export const run = (change: Partial<RunReading> = {}): RunReading => ({
  canary: PASSED,
  staleLeft: 0,
  touched: 0,
  followedUp: false,
  batches: 10,
  pending: 4,
  verified: 0,
  mismatches: 0,
  idleMs: 0,
  ...change,
});

export interface CellSketch {
  readonly fence?: Partial<FenceReading>;
  readonly run?: Partial<RunReading> | null;
  readonly source?: 'attached' | 'detached' | 'changed';
  readonly workersAlive?: number;
  readonly lastError?: string;
  readonly openLanes?: readonly number[];
  readonly bakeQuery?: boolean;
  readonly freeze?: FreezeReading;
  readonly gate?: Partial<GateReading>;
  readonly gateHolder?: ReadCell['gateHolder'];
  readonly maintenance?: Partial<MaintenanceReading>;
}

export const cell = (sketch: CellSketch = {}): ReadCell => ({
  kind: 'read',
  fence: fence(sketch.fence),
  run: sketch.run === null ? undefined : run(sketch.run),
  source: sketch.source ?? 'attached',
  bakeError: null,
  workersAlive: sketch.workersAlive ?? 1,
  lastError: sketch.lastError ?? null,
  openLanes: sketch.openLanes ?? [2],
  bakeQuery: sketch.bakeQuery,
  gate: { ...UNARMED, ...sketch.gate },
  gateHolder: sketch.gateHolder ?? null,
  freeze: sketch.freeze ?? null,
  maintenance: sketch.maintenance && { detected: true, pending: 0, found: 0, idleMs: 0, ...sketch.maintenance },
});
export const AWAY: CellReading = { kind: 'unreachable', code: 'unreachable' };

export const dc = (change: Partial<DataCenterSnapshot> = {}): DataCenterSnapshot => ({
  id: 'eu',
  position: 1,
  zone: 'UTC',
  cutoverAt: null,
  cutoverLocal: null,
  failedSteps: [],
  knownGate: UNARMED,
  singleWrites: false,
  maintenance: { open: null, closedEpoch: null, night: null, requested: false, failedAt: null },
  stage: 'pending',
  intent: 'run',
  pause: null,
  fenceConfirmedClosed: true,
  requested: false,
  undoFailed: false,
  runId: 5n,
  epoch: 5n,
  notBeforeAt: null,
  notBeforeLocal: null,
  bakeUntil: null,
  lanes: 2,
  canaryWaitMs: 0,
  orgsTouched: null,
  plan: PLANS.approved,
  window: { open: true, reason: 'always', changesAt: null },
  cell: cell(),
  ...change,
});

export const CLOSED_WINDOW = { open: false, reason: 'outside every window', changesAt: LATER };

/** Everything that a plan can be read as, each once. */
export const PLANS = {
  none: { kind: 'none' },
  asked: { kind: 'asked', planId: 'eu-7', failure: null },
  failed: { kind: 'asked', planId: 'eu-7', failure: 'rate_card_changed' },
  made: { kind: 'made', planId: 'eu-7' },
  approved: register({ kind: 'approved', approval: approval() }),
  approvesItself: register({ kind: 'approves_itself' }),
  outside: register({
    kind: 'held',
    why: 'outside',
    rail: { rail: 'orgsTouched', value: '11 orgs', limit: '10 orgs', passes: false },
  }),
  required: register({ kind: 'held', why: 'required' }),
  expired: register({ kind: 'held', why: 'expired', approval: approval() }),
  used: register({ kind: 'held', why: 'used', approval: approval() }),
  voided: register({ kind: 'held', why: 'voided', approval: approval() }),
  superseded: register({ kind: 'held', why: 'superseded', by: 'eu-8' }),
  lost: { kind: 'unusable', code: 'plan_unknown' },
  replaced: { kind: 'unusable', code: 'plan_conflict' },
} as const satisfies Readonly<Record<string, PlanReading>>;

function register(decided: ApprovalDecision): PlanReading {
  return { kind: 'registered', planId: 'eu-7', approval: decided };
}

function approval(): RecordedApproval {
  const digest = 'a'.repeat(64);
  return { approver: 'b', kind: 'person', digest, approvedAt: NOW, expiresAt: LATER, usedAt: null, voidedAt: null };
}

/** A step in a word or two. */
export const nameStep = (step: Step): string => {
  switch (step.kind) {
    case 'open_fence':
      return `open_fence ${step.state}`;
    case 'advance':
      return `advance ${step.to}`;
    case 'fail':
      return `fail ${step.code}`;
    case 'wake_workers':
      return `wake ${step.job} ${step.want}`;
    default:
      return step.kind;
  }
};
