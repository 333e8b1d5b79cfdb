// What a cell of the simulation holds: the product's orgs, and our schema beside them.
import type { Throttle } from '../../../src/domain/checks/decide-throttle.js';
import type { Allotment } from '../../../src/domain/org/allotment.js';
import { decideOrg, type OrgDecision } from '../../../src/domain/org/decide-org.js';
import type { OrgInputs } from '../../../src/domain/source/org-inputs.js';
import type { BatchCounts } from '../../../src/stores/cell/batch/batches.js';
import type { FoundDrift } from '../../../src/stores/cell/reconcile/drift-writes.js';
import { CARD } from './card.js';
import type { Database, Transaction } from './database.js';

export interface StoredAllotment extends Allotment {
  readonly runId: bigint | null;
  readonly version: number;
}

/** One change of an allotment; the inserts are there too, for the invariants. */
export interface Change {
  readonly orgId: string;
  readonly operation: 'insert' | 'update' | 'delete';
  readonly cause: string;
  readonly runId: bigint | null;
  readonly before: StoredAllotment | null;
}

export interface SimulatedFence {
  readonly state: 'open' | 'verifying' | 'closed';
  readonly epoch: bigint;
  readonly runId: bigint | null;
  readonly timeline: number;
  readonly server: number;
  readonly failure: string | null;
  readonly singleWrites: boolean;
}

export interface CellRunRow {
  readonly runId: bigint;
  readonly kind: 'migrate' | 'reconcile' | 'undo' | 'sweep';
  readonly state: 'open' | 'done' | 'failed' | 'aborted';
  readonly planId: bigint | null;
  readonly detected: boolean;
  readonly canaryPassed: boolean;
  readonly followedUp: boolean;
  readonly undoes: bigint | null;
  readonly pass: number;
  readonly passFrom: number;
  readonly searched: number;
  readonly allotmentsSearched: number;
}

export interface BatchRow {
  readonly runId: bigint;
  readonly batchNo: number;
  readonly kind: 'range' | 'canary' | 'follow_up' | 'repair';
  readonly ids: readonly string[];
  readonly cause: string | null;
  readonly state: 'pending' | 'done';
  readonly epoch: bigint;
  readonly timeline: string;
  readonly counts: BatchCounts;
  readonly doneAt: Date | null;
  readonly verifiedAt: Date | null;
  readonly mismatches: number;
}

export interface SeenOrg {
  readonly orgId: string;
  readonly seen: string;
  readonly movement: string;
}

export interface PlanRow {
  readonly planId: bigint;
  readonly digest: string;
  readonly author: string;
  readonly snapshotAt: Date;
  readonly orgs: readonly SeenOrg[];
}

export interface SignUpRow {
  readonly orgId: string;
  readonly model: 'legacy' | 'credits';
  readonly decidedAt: Date;
}

export interface CellState {
  fence: SimulatedFence;
  fenceChangedAt: Date;
  freeze: {
    readonly since: Date;
    readonly by: string;
    readonly reason: null;
    readonly acknowledgedAt: Date | null;
  } | null;
  gate: {
    readonly configuredAt: Date | null;
    readonly configuredSetAt: Date | null;
    readonly effectiveAt: Date | null;
    readonly latchedAt: Date | null;
    readonly sweptAt: Date | null;
  };
  runs: readonly CellRunRow[];
  batches: readonly BatchRow[];
  planIds: bigint;
  planRequests: readonly { readonly planId: bigint; readonly author: string }[];
  plans: readonly PlanRow[];
  undoPlans: readonly {
    readonly undoId: bigint;
    readonly undoes: bigint;
    readonly digest: string;
    readonly state: 'accepted' | 'running';
    readonly runId: bigint | null;
  }[];
  usedSeals: readonly string[];
  /** The product's. */
  orgs: ReadonlyMap<string, OrgInputs>;
  signUps: readonly SignUpRow[];
  allotments: ReadonlyMap<string, StoredAllotment>;
  changes: readonly Change[];
  stale: readonly { readonly runId: bigint; readonly orgId: string; readonly settled: boolean }[];
  quarantine: readonly { readonly runId: bigint; readonly orgId: string }[];
  drift: readonly (FoundDrift & {
    readonly runId: bigint;
    readonly outcome: string;
    readonly capped: boolean;
    readonly batchNo: number | null;
  })[];
  throttles: readonly (Throttle & { readonly scope: 'write' | 'read' })[];
  check: { readonly value: number | null; readonly error: string | null; readonly sampledAt: Date | null };
  lookedAt: Date | null;
}

/** Beside what is committed: the product's own load, as the check of the cell finds it. */
export class CellDatabaseFacts {
  probe: 'calm' | 'busy' | 'silent' = 'calm';
  /** A failover or an older copy has taken some of its commits away. */
  wentBack = false;
}

export type CellDb = Database<CellState> & { readonly facts: CellDatabaseFacts };
export type CellTx = Transaction<CellState> & { readonly db: CellDb };

export const emptyCell = (orgs: ReadonlyMap<string, OrgInputs>, now: Date): CellState => ({
  fence: { state: 'closed', epoch: 0n, runId: null, timeline: 1, server: 1, failure: null, singleWrites: false },
  fenceChangedAt: now,
  freeze: null,
  gate: { configuredAt: null, configuredSetAt: null, effectiveAt: null, latchedAt: null, sweptAt: null },
  ...{
    planIds: 0n,
    runs: [],
    batches: [],
    planRequests: [],
    plans: [],
    undoPlans: [],
    usedSeals: [],
    orgs,
    signUps: [],
  },
  ...{ allotments: new Map(), changes: [], stale: [], quarantine: [], drift: [], throttles: [], lookedAt: null },
  check: { value: null, error: null, sampledAt: null },
});

export const LAPSE_GRACE_DAYS = 30;
const DAY_MS = 86_400_000;
export const localDateOf = (at: Date): string =>
  new Date(Math.floor(at.getTime() / DAY_MS) * DAY_MS).toISOString().slice(0, 10);

/** What the rule gives for an org now: the view `credit_rollout.decided`. */
export function decided({ now: state, db }: CellTx, orgId: string): OrgDecision | undefined {
  const inputs = state.orgs.get(orgId);
  if (inputs === undefined) return undefined;
  const stored = state.allotments.get(orgId) ?? null;
  const retired = stored === null ? retiredOf(state, orgId) : null;
  const signUp = state.signUps.find((one) => one.orgId === orgId);
  return decideOrg({
    ...{ inputs, card: CARD, prior: stored ?? retired, priorState: retired === null ? 'stored' : 'retired' },
    gate: {
      effectiveAt: state.gate.effectiveAt,
      sweptAt: state.gate.sweptAt,
      decidedAt: signUp?.decidedAt ?? null,
      model: signUp?.model ?? null,
    },
    ...{ today: localDateOf(db.now), lapseGraceDays: LAPSE_GRACE_DAYS },
  });
}

/** What an org had that a night retired and that is back; an undo leaves nothing to come back to. */
export function retiredOf(state: CellState, orgId: string): StoredAllotment | null {
  const last = state.changes.findLast((one) => one.orgId === orgId);
  return last?.operation === 'delete' && last.cause !== 'undo' ? last.before : null;
}

const sameTerms = (row: StoredAllotment | null): string => {
  if (row === null) return '';
  const { runId: _, version: __, additionalCredits: ___, totalCredits: ____, ...terms } = row;
  return Object.values(terms).join('|');
};

export const hasSameTerms = (one: StoredAllotment | null, other: StoredAllotment | null): boolean =>
  sameTerms(one) === sameTerms(other);

export interface Written {
  readonly orgId: string;
  readonly allotment: Allotment;
}

/** Writes allotments with their before-images, as the triggers do; of an org that has one, only with `over`. */
export function writeAllotments(
  tx: CellTx,
  rows: readonly Written[],
  { cause, runId, over }: { readonly cause: string; readonly runId: bigint | null; readonly over: 'insert' | 'update' },
): void {
  if (rows.length === 0) return;
  tx.write((state) => {
    const allotments = new Map(state.allotments);
    const changes = [...state.changes];
    for (const { orgId, allotment } of rows) {
      const before = allotments.get(orgId) ?? null;
      if (before !== null && over === 'insert') continue;
      allotments.set(orgId, { ...allotment, runId, version: (before?.version ?? 0) + 1 });
      changes.push({ orgId, operation: before === null ? 'insert' : 'update', cause, runId, before });
    }
    Object.assign(state, { allotments, changes });
  });
}

export function deleteAllotments(tx: CellTx, ids: readonly string[], cause: string, runId: bigint): void {
  if (ids.length === 0) return;
  tx.write((state) => {
    const allotments = new Map(state.allotments);
    const changes = [...state.changes];
    for (const orgId of ids) {
      const before = allotments.get(orgId) ?? null;
      if (before === null) continue;
      allotments.delete(orgId);
      changes.push({ orgId, operation: 'delete', cause, runId, before });
    }
    Object.assign(state, { allotments, changes });
  });
}
