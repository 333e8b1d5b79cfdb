// The statements of src/stores/cell that read and write allotments: batches of a plan, the canary, the follow-up, the
// verification, undo, and plans themselves. The rule is the real one; the statements apply it to rows in memory.

import type { OrgDecision } from '../../../src/domain/org/decide-org.js';
import { countPlan } from '../../../src/domain/plan/count-plan.js';
import type { Sealed } from './approval-model.js';
import {
  type CellState,
  type CellTx,
  decided,
  deleteAllotments,
  hasSameTerms,
  type SeenOrg,
  type StoredAllotment,
  type Written,
  writeAllotments,
} from './cell-state.js';
import { raise } from './database.js';
import { batchesOf, newBatch, newRun, runOf, updateRun } from './fence-model.js';

const isTouched = (movement: string): boolean => movement === 'first' || movement === 'raise';

/** What a plan sees of an org: two of these that differ make it stale. */
function seeOrg(tx: CellTx, orgId: string): SeenOrg {
  const now = decided(tx, orgId);
  const inputs = tx.now.orgs.get(orgId);
  const seen = `${Object.values(inputs ?? {}).join('|')} ${now?.kind === 'decided' ? now.allotment.totalCredits : ''}`;
  return { orgId, seen, movement: now?.kind === 'decided' ? now.movement : 'undecidable' };
}

const digestOf = (orgs: readonly SeenOrg[], planId: bigint): string =>
  JSON.stringify([String(planId), orgs.map(({ orgId, seen }) => `${orgId} ${seen}`)]);

interface Outcome {
  readonly written: readonly Written[];
  readonly stale: readonly string[];
  readonly undecidable: readonly string[];
  readonly falls: number;
}

const planOf = (tx: CellTx, planId: bigint): readonly SeenOrg[] =>
  tx.now.plans.find((plan) => plan.planId === planId)?.orgs ?? [];

/** Orgs that are as planned are written; the others are stale. `plan` null: whatever they are now is written. */
function decideRange(tx: CellTx, ids: readonly string[], plan: readonly SeenOrg[] | null): Outcome {
  const outcome = { written: [] as Written[], stale: [] as string[], undecidable: [] as string[], falls: 0 };
  for (const orgId of ids) {
    const now = decided(tx, orgId);
    const planned = plan?.find((one) => one.orgId === orgId);
    if (now?.kind === 'quarantine') outcome.undecidable.push(orgId);
    else if (now === undefined || (plan !== null && isStale(tx, now, planned, orgId))) outcome.stale.push(orgId);
    else if (isTouched(now.movement)) outcome.written.push({ orgId, allotment: now.allotment });
    else if (now.movement === 'fall') outcome.falls += 1;
  }
  return outcome;
}

function isStale(tx: CellTx, now: OrgDecision, planned: SeenOrg | undefined, orgId: string): boolean {
  const movement = now.kind === 'decided' ? now.movement : '';
  if (!isTouched(movement) && !(planned && isTouched(planned.movement))) return false;
  return planned?.seen !== seeOrg(tx, orgId).seen;
}

function save(tx: CellTx, runId: bigint, { written, stale, undecidable, falls }: Outcome, ids: readonly string[]) {
  const fresh = written.filter(({ orgId }) => !tx.now.allotments.has(orgId)).length;
  writeAllotments(tx, written, { cause: 'apply', runId, over: 'update' });
  const isKnown = (orgId: string): boolean =>
    tx.now.stale.some((one) => one.runId === runId && one.orgId === orgId && !one.settled);
  const left = stale.filter((orgId) => !isKnown(orgId));
  tx.write((state) => {
    state.stale = [...state.stale, ...left.map((orgId) => ({ runId, orgId, settled: false }))];
    state.quarantine = [...state.quarantine, ...undecidable.map((orgId) => ({ runId, orgId }))];
  });
  const present = ids.filter((orgId) => tx.now.orgs.has(orgId));
  return {
    ...{ orgs: present.length, inserted: fresh, raised: written.length - fresh, falls },
    stale: stale.filter((orgId) => tx.now.orgs.has(orgId)).length,
    quarantined: undecidable.length,
    totalCredits: String(written.reduce((sum, { allotment }) => sum + allotment.totalCredits, 0n)),
  };
}

/** The orgs of a range: those of the plan, and in the last range those that came since. */
function idsOfRange(state: CellState, runId: bigint, batchNo: number): readonly string[] {
  const ranges = batchesOf(state, runId).filter(({ kind }) => kind === 'range');
  const own = ranges.find((batch) => batch.batchNo === batchNo)?.ids ?? [];
  if (ranges.at(-1)?.batchNo !== batchNo) return own;
  const planned = new Set(ranges.flatMap(({ ids }) => ids));
  return [...own, ...[...state.orgs.keys()].filter((id) => !planned.has(id))];
}

interface Run {
  readonly runId: bigint;
  readonly planId: bigint;
}

const COUNTED = { unpaidEdition: 'free', maxRaiseFactor: null, maxFloorOverPlan: null, protectedTouched: 0 } as const;

/** The digest is over what the plan saw: the approval is of that, and of nothing else. */
export function makePlanRow(tx: CellTx, planId: bigint, author: string): void {
  const orgs = [...tx.now.orgs.keys()].map((orgId) => seeOrg(tx, orgId));
  const row = { planId, digest: digestOf(orgs, planId), author, snapshotAt: tx.db.now, orgs };
  if (tx.now.plans.some((plan) => plan.planId === planId)) throw raise('23505');
  tx.write((state) => {
    state.plans = [...state.plans, row];
  });
}

export const undoableRun = (state: CellState): bigint | undefined => {
  const written = state.runs.filter(
    ({ kind, runId }) =>
      kind === 'migrate' && batchesOf(state, runId).some(({ counts }) => counts.inserted + counts.raised > 0),
  );
  const isUndone = (run: bigint) => state.runs.some(({ undoes, state: how }) => undoes === run && how === 'done');
  return written.findLast(({ runId }) => !isUndone(runId))?.runId;
};

export const orgsModel = {
  isRangeIntact: async (tx: CellTx, planId: bigint) => {
    const plan = tx.now.plans.find((one) => one.planId === planId);
    return plan !== undefined && digestOf(plan.orgs, planId) === plan.digest;
  },
  writeByOrg: async (tx: CellTx, { batchNo }: { batchNo: number }, { runId, planId }: Run) => {
    const ids = idsOfRange(tx.now, runId, batchNo);
    const isOurs = (orgId: string): boolean => tx.now.allotments.get(orgId)?.runId === runId;
    const open = ids.filter((orgId) => !isOurs(orgId));
    return save(tx, runId, decideRange(tx, open, planOf(tx, planId)), ids);
  },
  writeCanary: async (tx: CellTx, ids: readonly string[], { runId, planId }: Run) =>
    save(tx, runId, decideRange(tx, ids, planOf(tx, planId)), ids),
  writeFollowUp: async (tx: CellTx, ids: readonly string[], { runId }: Run) => {
    const counts = save(
      tx,
      runId,
      decideRange(
        tx,
        ids.filter((id) => tx.now.orgs.has(id)),
        null,
      ),
      ids,
    );
    tx.write((state) => {
      state.stale = state.stale.map((one) =>
        one.runId === runId && ids.includes(one.orgId) ? { ...one, settled: true } : one,
      );
    });
    return counts;
  },
  addFollowUp: async (tx: CellTx, runId: bigint) => {
    if (runOf(tx.now, runId)?.followedUp !== false) return 0;
    if (runOf(tx.now, runId)?.state !== 'open') throw raise('23001');
    const ids = tx.now.stale.filter((one) => one.runId === runId && !one.settled).map(({ orgId }) => orgId);
    const batchNo = Math.max(...batchesOf(tx.now, runId).map((batch) => batch.batchNo)) + 1;
    updateRun(tx, runId, { followedUp: true });
    tx.write((state) => {
      const again = state.batches.map((batch) =>
        batch.runId === runId && batch.kind === 'range' ? { ...batch, verifiedAt: null } : batch,
      );
      state.batches = [...again, newBatch({ runId, batchNo, kind: 'follow_up', ids })];
    });
    return 1;
  },
  readQuarantineSoFar: async () => ({ before: 0, planned: 0, orgs: 10, maxShare: 1 }),
  listUnreadable: async () => [],

  verifyRange: async (
    tx: CellTx,
    batch: { batchNo: number; orgIds: readonly string[] },
    { runId }: { runId: bigint },
  ) => {
    const known = batchesOf(tx.now, runId).find(({ batchNo }) => batchNo === batch.batchNo);
    const ids = known?.kind === 'range' ? idsOfRange(tx.now, runId, batch.batchNo) : batch.orgIds;
    const rows = ids.flatMap((orgId) => tx.now.allotments.get(orgId) ?? []);
    const broken = rows.filter((row) => !keepsPromise(row)).length;
    return { checked: rows.length, mismatches: broken, changedSince: 0, appeared: 0, gone: 0, sums: {}, broken: [] };
  },

  requestPlan: async (tx: CellTx, { author }: { author: string }) => {
    const isMade = (planId: bigint): boolean => tx.now.plans.some((plan) => plan.planId === planId);
    const open = tx.now.planRequests.findLast(({ planId }) => !isMade(planId));
    if (open !== undefined) return open.planId;
    const planId = tx.now.planIds + 1n;
    tx.write((state) => {
      state.planIds = planId;
      state.planRequests = [...state.planRequests, { planId, author }];
    });
    return planId;
  },
  findPlanRequest: async (tx: CellTx, planId: bigint) => {
    const found = tx.now.planRequests.find((one) => one.planId === planId);
    return found && { ...found, cardHash: 'card', rangeSize: 2, failure: null };
  },
  findOpenPlanRequest: async (tx: CellTx) =>
    tx.now.planRequests.findLast(({ planId }) => !tx.now.plans.some((plan) => plan.planId === planId)),
  findPlan: async (tx: CellTx, planId: bigint) => {
    const plan = tx.now.plans.find((one) => one.planId === planId);
    const rest = { quarantined: 0, staleLeftOut: 0, paidFalling: 0, ...COUNTED };
    return plan && { ...plan, cardHash: 'card', sourceSignature: '', counts: countPlan([], rest) };
  },
  sealPlan: async (_tx: CellTx, planId: bigint) => String(planId),

  isUndoAccepted: async (tx: CellTx, { undoId, digest }: { undoId: bigint; digest: string }) =>
    tx.now.undoPlans.some(
      (one) =>
        one.undoId === undoId &&
        one.digest === digest &&
        one.state === 'accepted' &&
        one.undoes === undoableRun(tx.now),
    ),
  hasUndoAfter: async (tx: CellTx, run: bigint) =>
    tx.now.runs.some(({ kind, runId }) => kind === 'undo' && runId > run),
  openSealedUndo: async (tx: CellTx, seal: unknown) => {
    const { runId, planId: undoId, digest } = seal as Sealed;
    const plan = tx.now.undoPlans.find((one) => one.undoId === undoId);
    const fits = plan?.digest === digest && (plan.state === 'accepted' || plan.runId === runId);
    if (plan === undefined || !fits) throw raise('23001', 'undo_outdated');
    if (tx.now.gate.effectiveAt !== null) throw raise('23001', 'undo_gate_armed');
    if (plan.state === 'running') {
      if (runOf(tx.now, runId)?.state !== 'open') throw raise('23001', 'seal_used');
      return;
    }
    const busy = tx.now.runs.some(({ state }) => state === 'open');
    if (busy || plan.undoes !== undoableRun(tx.now)) throw raise('23001', 'undo_outdated');
    const ids = [...tx.now.allotments.keys()];
    const ranges = [ids.slice(0, 3), ids.slice(3)].map((part, n) =>
      newBatch({ runId, batchNo: 1 + n, kind: 'range', ids: part }),
    );
    tx.write((state) => {
      state.usedSeals = [...state.usedSeals, `undo ${runId}`];
      state.runs = [...state.runs, newRun({ runId, kind: 'undo', undoes: plan.undoes })];
      state.batches = [...state.batches, ...ranges];
      state.undoPlans = state.undoPlans.map((one) =>
        one.undoId === undoId ? { ...one, state: 'running', runId } : one,
      );
    });
  },
  undoRange: async (tx: CellTx, runId: bigint, batchNo: number) => {
    const undone = runOf(tx.now, runId)?.undoes ?? null;
    if (tx.now.gate.effectiveAt !== null) throw raise('55000', 'allotments_need_open_work');
    const ids = batchesOf(tx.now, runId).find((batch) => batch.batchNo === batchNo)?.ids ?? [];
    const verdicts = ids.map((orgId) => ({ orgId, ...judge(tx, orgId, undone) }));
    const restored = verdicts.flatMap(({ orgId, image }) => (image ? [{ orgId, allotment: image }] : []));
    const deleted = verdicts.filter(({ verdict }) => verdict === 'delete').map(({ orgId }) => orgId);
    writeAllotments(tx, restored, { cause: 'undo', runId, over: 'update' });
    deleteAllotments(tx, deleted, 'undo', runId);
    return { orgs: ids.length, undone: restored.length + deleted.length, falls: 0, total: '0' };
  },
} as const;

/**
 * Whose row it is by now: see `credit_rollout.undo_lineage`. Today's purchases stay; whoever left and is back, or cannot
 * be decided any more, is left as it is.
 */
function judge(
  tx: CellTx,
  orgId: string,
  undone: bigint | null,
): { readonly verdict: 'delete' | 'restore' | 'conflict'; readonly image?: StoredAllotment } {
  const row = tx.now.allotments.get(orgId) ?? null;
  const all = tx.now.changes.filter((one) => one.orgId === orgId);
  const lived = all.slice(all.findLastIndex(({ operation }) => operation === 'delete') + 1);
  // what another undo put back is as if it had never been
  const putBack = tx.now.runs.filter(
    (run) => run.kind === 'undo' && run.undoes !== undone && lived.some(({ runId }) => runId === run.runId),
  );
  const life = lived.filter(({ runId }) => !putBack.some((run) => runId === run.runId || runId === run.undoes));
  const ours = life.findLastIndex((one) => one.runId === undone && one.cause === 'apply');
  const written = life[ours + 1]?.before ?? row;
  const raised = life[ours];
  const isPutBack = life.slice(ours + 1).some(({ cause }) => cause === 'undo');
  if (row === null || raised === undefined || isPutBack || !hasSameTerms(row, written)) return { verdict: 'conflict' };
  if (decided(tx, orgId)?.kind !== 'decided') return { verdict: 'conflict' };
  const { before } = raised;
  if (before === null) return { verdict: 'delete' };
  const bought = row.additionalCredits - before.additionalCredits;
  const totalCredits = before.totalCredits + bought;
  return { verdict: 'restore', image: { ...before, additionalCredits: row.additionalCredits, totalCredits } };
}

/** The independent rule, as far as it concerns paid orgs. */
export const keepsPromise = ({
  paid,
  floor,
  baseCredits,
  variableCredits,
  grandfatheredCredits,
}: StoredAllotment): boolean =>
  !paid || floor === null || baseCredits + variableCredits + grandfatheredCredits >= floor;
