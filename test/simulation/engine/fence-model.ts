// The statements of src/stores/cell about the fence, freezes, runs, batches and checks on the state in memory, each
// under the name of the function that it stands for.
import type { BatchCounts } from '../../../src/stores/cell/batch/batches.js';
import type { Sealed } from './approval-model.js';
import type { BatchRow, CellRunRow, CellState, CellTx, SimulatedFence } from './cell-state.js';
import { raise } from './database.js';

const timelineOf = (tx: CellTx): string => String(tx.db.timeline);
const isOpenHere = (tx: CellTx, { timeline, server }: SimulatedFence): boolean =>
  timeline === tx.db.timeline && server === tx.db.server;
export const runOf = (state: CellState, id: bigint | null): CellRunRow | undefined =>
  state.runs.find(({ runId }) => runId === id);
export const batchesOf = (state: CellState, id: bigint): readonly BatchRow[] =>
  state.batches.filter(({ runId }) => runId === id);

function setFenceTo(tx: CellTx, change: Partial<SimulatedFence>): void {
  const { fence, freeze } = tx.now;
  const asked = { ...fence, ...change };
  const isOther = asked.state !== fence.state || asked.epoch !== fence.epoch;
  const begins = (asked.singleWrites && !fence.singleWrites) || (asked.state !== 'closed' && isOther);
  if (asked.epoch < fence.epoch) throw raise('23001');
  if (freeze !== null && begins) throw raise('55000');
  tx.write((state) => {
    const before = state.fence;
    const after = { ...before, ...change };
    const opens = after.state !== 'closed' && (after.epoch !== before.epoch || before.state === 'closed');
    if (after.epoch < before.epoch) throw raise('23001');
    state.fence = opens ? { ...after, server: tx.db.server } : after;
    state.fenceChangedAt = tx.db.now;
  });
}

export function updateRun(tx: CellTx, id: bigint, change: Partial<CellRunRow>): void {
  tx.write((state) => {
    state.runs = state.runs.map((run) => (run.runId === id ? { ...run, ...change } : run));
  });
}

/** Only while their run is open, by a worker; a scheduler asks for another verification of a failed one too. */
function updateBatches(
  tx: CellTx,
  which: (batch: BatchRow) => boolean,
  change: Partial<BatchRow>,
  by: 'worker' | 'scheduler' = 'worker',
): number {
  const rows = tx.now.batches.filter(which);
  const states = by === 'worker' ? ['open'] : ['open', 'failed'];
  if (rows.some(({ runId }) => !states.includes(runOf(tx.now, runId)?.state ?? ''))) throw raise('23001');
  const found = rows.length;
  if (found > 0)
    tx.write((state) => {
      state.batches = state.batches.map((batch) => (which(batch) ? { ...batch, ...change } : batch));
    });
  return found;
}

const toRun = (run: CellRunRow) => ({ ...run, cardHash: 'card', batchSize: 2, lanes: 2 });
const MAX_AGE_MS = 15_000;

/** What the checks allow, as `throttleSql` reads it. */
function throttleOf(tx: CellTx, scope: 'write' | 'read'): { readonly lanes: number; readonly sampled: boolean } {
  const known = tx.now.throttles.find((one) => one.scope === scope);
  const age = Math.abs(tx.db.now.getTime() - (known?.sampledAt?.getTime() ?? Number.NEGATIVE_INFINITY));
  const isFresh = age <= MAX_AGE_MS && known?.lanes != null;
  return { lanes: isFresh ? Math.min(known.lanes ?? 0, 2) : 0, sampled: isFresh };
}

export const NOTHING_COUNTED: BatchCounts = {
  ...{ orgs: 0, inserted: 0, raised: 0, unchanged: 0, stale: 0, quarantined: 0, falls: 0, totalCredits: '0' },
};

export const newBatch = (at: Pick<BatchRow, 'runId' | 'batchNo' | 'kind' | 'ids'>): BatchRow => ({
  ...{ cause: null, state: 'pending', epoch: 0n, timeline: '', doneAt: null, verifiedAt: null, mismatches: 0 },
  counts: NOTHING_COUNTED,
  ...at,
});

export const newRun = (at: Pick<CellRunRow, 'runId' | 'kind'> & Partial<CellRunRow>): CellRunRow => ({
  ...{ state: 'open', planId: null, detected: true, canaryPassed: true, followedUp: false, undoes: null },
  ...{ pass: 1, passFrom: 0, searched: 0, allotmentsSearched: 0 },
  ...at,
});

export const fenceModel = {
  lockFenceShared: (tx: CellTx) => tx.lock('fence', 'shared'),
  listFenceHolders: async () => [],
  lockFenceExclusive: (tx: CellTx) => tx.lock('fence', 'exclusive'),
  readFence: async (tx: CellTx) => {
    const { fence, freeze } = tx.now;
    const { state, epoch, runId, failure, singleWrites, timeline, server } = fence;
    const frozen = freeze !== null;
    const here = { currentTimeline: timelineOf(tx), timeline: String(timeline), sameServer: server === tx.db.server };
    return { state, epoch, runId, failure, singleWrites, failureIsRule: false, frozen, ...here };
  },
  setFence: async (tx: CellTx, { state, epoch, runId }: Pick<SimulatedFence, 'state' | 'epoch' | 'runId'>) =>
    setFenceTo(tx, { state, epoch, runId, failure: null, singleWrites: false, timeline: tx.db.timeline }),
  saveFenceClosed: async (tx: CellTx, failure: string | null, epoch = 0n) => {
    const { fence } = tx.now;
    const kept = failure ?? (fence.epoch >= epoch ? fence.failure : null);
    if (fence.state === 'closed' && fence.epoch >= epoch && fence.failure === (failure ?? fence.failure)) return;
    const raised = epoch > fence.epoch ? epoch : fence.epoch;
    setFenceTo(tx, { state: 'closed', singleWrites: false, failure: kept, epoch: raised });
  },
  allowSingleWrites: async (tx: CellTx) => {
    if (tx.now.fence.state !== 'closed') return false;
    setFenceTo(tx, { singleWrites: true });
    return true;
  },
  stopSingleWrites: async (tx: CellTx) => {
    if (tx.now.fence.singleWrites) setFenceTo(tx, { singleWrites: false });
  },
  readFreeze: async (tx: CellTx) => tx.now.freeze,
  freezeCell: async (tx: CellTx) => {
    if (tx.now.freeze !== null) return false;
    tx.write((state) => {
      state.freeze = { since: tx.db.now, by: 'ana', reason: null, acknowledgedAt: null };
    });
    return true;
  },
  acknowledgeFreeze: async (tx: CellTx) => {
    if (tx.now.fence.singleWrites) setFenceTo(tx, { singleWrites: false });
    tx.write((state) => {
      state.freeze = state.freeze && { ...state.freeze, acknowledgedAt: state.freeze.acknowledgedAt ?? tx.db.now };
    });
  },
  unfreezeCell: async (tx: CellTx) => {
    const found = tx.now.freeze !== null;
    tx.write((state) => {
      state.freeze = null;
    });
    return found;
  },

  findOpenRun: async (tx: CellTx, epoch: bigint, scope: 'write' | 'read' = 'write') => {
    const { fence, freeze } = tx.now;
    const run = runOf(tx.now, fence.runId);
    if (fence.state !== 'open' || fence.epoch !== epoch || run?.state !== 'open' || freeze !== null) return undefined;
    if (!isOpenHere(tx, fence)) return undefined;
    return { ...toRun(run), timeline: timelineOf(tx), sourceUnique: true, throttle: throttleOf(tx, scope) };
  },
  findVerifyingRun: async (tx: CellTx, epoch: bigint) => {
    const { fence, freeze } = tx.now;
    const run = runOf(tx.now, fence.runId);
    if (fence.state !== 'verifying' || fence.epoch !== epoch || run === undefined || freeze !== null) return undefined;
    return isOpenHere(tx, fence) ? { ...toRun(run), throttle: throttleOf(tx, 'read') } : undefined;
  },
  findRun: async (tx: CellTx, id: bigint) => {
    const run = runOf(tx.now, id);
    return run && toRun(run);
  },
  listOpenRuns: async (tx: CellTx) => tx.now.runs.filter(({ state }) => state === 'open').map(({ runId }) => runId),
  listOpenLanes: async (tx: CellTx) => (tx.now.runs.some(({ state }) => state === 'open') ? [2] : []),
  saveLanes: async () => undefined,
  endRun: async (tx: CellTx, id: bigint, state: 'done' | 'failed' | 'aborted') => {
    const isOpen = runOf(tx.now, id)?.state === 'open';
    if (isOpen) updateRun(tx, id, { state });
    return isOpen;
  },
  passCanary: async (tx: CellTx, id: bigint) => updateRun(tx, id, { canaryPassed: true }),

  /** Of the run that control sealed, with the batches of its plan: see `credit_rollout.open_run`. */
  openSealedRun: async (tx: CellTx, seal: unknown) => {
    const { runId, planId, digest } = seal as Sealed;
    const { runs, plans } = tx.now;
    const known = runs.find((run) => run.runId === runId);
    if (known !== undefined && known.planId !== planId) throw raise('23001', 'seal_used');
    if (runs.some((run) => run.planId === planId && run.runId !== runId)) throw raise('23001', 'seal_used');
    if (known === undefined) {
      const plan = plans.find((one) => one.planId === planId);
      if (plan === undefined) return false;
      if (plan.digest !== digest) throw raise('23001', 'plan_edited');
      const ids = plan.orgs.map(({ orgId }) => orgId);
      const canary = newBatch({ runId, batchNo: 0, kind: 'canary', ids: ids.slice(0, 1) });
      const ranges = [ids.slice(0, 2), ids.slice(2)].map((part, n) =>
        newBatch({ runId, batchNo: 1 + n, kind: 'range', ids: part }),
      );
      tx.write((state) => {
        state.runs = [...state.runs, newRun({ runId, kind: 'migrate', planId, canaryPassed: false })];
        state.batches = [...state.batches, canary, ...ranges];
        state.usedSeals = [...state.usedSeals, `run ${runId}`];
      });
    }
    if (known?.state === 'aborted') throw raise('23001', 'seal_used');
    const undone = tx.now.runs.some(({ undoes }) => undoes === runId);
    if (known?.state === 'failed' && undone) throw raise('23001', 'seal_used');
    if (known?.state === 'failed') updateRun(tx, runId, { state: 'open' });
    return true;
  },

  lockLane: async (tx: CellTx, lanes: number) =>
    [1, 2].slice(0, lanes).find((lane) => tx.tryLock(`lane ${lane}`, 'exclusive')),
  claimBatch: async (tx: CellTx, { runId, canaryPassed }: { runId: bigint; canaryPassed: boolean }) => {
    const free = batchesOf(tx.now, runId).find(
      ({ state, kind, batchNo }) =>
        state === 'pending' &&
        (canaryPassed || kind === 'canary') &&
        tx.tryLock(`batch ${runId} ${batchNo}`, 'exclusive'),
    );
    if (free === undefined) return undefined;
    const pin = { range: free.batchNo, whole: false, digest: '', touched: 0, credits: '0' };
    const list = { orgIds: free.ids, onlyIds: free.ids, lowerId: null, upperId: null };
    return {
      batchNo: free.batchNo,
      kind: free.kind,
      cause: free.cause,
      ...list,
      pin: free.kind === 'range' ? pin : null,
    };
  },
  completeBatch: async (
    tx: CellTx,
    at: { runId: bigint; batchNo: number; epoch: bigint; timeline: string },
    counts: BatchCounts,
  ) => {
    const isIt = (batch: BatchRow): boolean =>
      batch.runId === at.runId && batch.batchNo === at.batchNo && batch.state === 'pending';
    const done = { state: 'done', epoch: at.epoch, timeline: at.timeline, counts, doneAt: tx.db.now } as const;
    return updateBatches(tx, isIt, done) === 1;
  },
  claimVerification: async (tx: CellTx, runId: bigint) => {
    const free = batchesOf(tx.now, runId).find(
      ({ state, verifiedAt, batchNo }) =>
        state === 'done' && verifiedAt === null && tx.tryLock(`batch ${runId} ${batchNo}`, 'exclusive'),
    );
    return free && { batchNo: free.batchNo, kind: free.kind, orgIds: free.ids, lowerId: null, upperId: null };
  },
  recordVerification: async (tx: CellTx, at: { runId: bigint; batchNo: number }, found: { mismatches: number }) => {
    const isIt = ({ runId, batchNo }: BatchRow): boolean => runId === at.runId && batchNo === at.batchNo;
    updateBatches(tx, isIt, { verifiedAt: tx.db.now, mismatches: found.mismatches });
  },
  clearVerification: async (tx: CellTx, id: bigint) => {
    updateBatches(tx, ({ runId }) => runId === id, { verifiedAt: null, mismatches: 0 }, 'scheduler');
  },
  readProgress: async (tx: CellTx, id: bigint) => {
    const run = runOf(tx.now, id);
    const all = batchesOf(tx.now, id);
    const canary = all.filter(({ kind }) => kind === 'canary');
    const sum = (column: 'inserted' | 'raised'): number => all.reduce((total, { counts }) => total + counts[column], 0);
    const ends = all.flatMap(({ doneAt, verifiedAt }) => [doneAt, verifiedAt].filter((at) => at !== null));
    const last = Math.max(tx.now.fenceChangedAt.getTime(), ...ends.map((at) => at.getTime()));
    return {
      canary: {
        passed: run?.planId === null || run?.canaryPassed === true,
        pending: canary.filter(({ state }) => state !== 'done').length,
        unverified: canary.filter(({ verifiedAt }) => verifiedAt === null).length,
        mismatches: canary.reduce((total, { mismatches }) => total + mismatches, 0),
        verifiedForMs: null,
      },
      staleLeft: tx.now.stale.filter(({ runId, settled }) => runId === id && !settled).length,
      ...{ touched: sum('inserted') + sum('raised'), followedUp: run?.followedUp ?? false, batches: all.length },
      pending: all.filter(({ state }) => state !== 'done').length,
      verified: all.filter(({ verifiedAt }) => verifiedAt !== null).length,
      mismatches: all.reduce((total, { mismatches }) => total + mismatches, 0),
      ...{ idleMs: tx.db.now.getTime() - last, inserted: sum('inserted'), raised: sum('raised') },
    };
  },

  ...{ isReadOnly: async () => false, hasAdoption: async () => true, readSourceState: async () => 'attached' },
  readWorkers: async () => ({ alive: 1, lastError: null }),
  findCell: async () => ({ activeCard: 'card', lapseGraceDays: 30 }),
  readChecks: async (tx: CellTx) => {
    const check = { name: 'probe', query: null, limit: 2, ownLimit: 2, loosenedLimit: null, loosenedUntil: null };
    return { now: tx.db.now, checks: [{ ...check, isOff: false, ...tx.now.check }], throttles: tx.now.throttles };
  },
  claimSampling: async (tx: CellTx, everyMs: number) => {
    const { lookedAt, fence } = tx.now;
    const since = lookedAt === null ? Number.POSITIVE_INFINITY : tx.db.now.getTime() - lookedAt.getTime();
    if (fence.state === 'closed' || (since >= -1_000 && since <= everyMs)) return undefined;
    const at = tx.db.now;
    tx.write((state) => {
      state.lookedAt = at;
    });
    const { checks, throttles } = await fenceModel.readChecks(tx);
    return { at, lanes: 2, others: { perSecond: null, calmPerSecond: null }, checks, throttles };
  },
  saveSampling: async (
    tx: CellTx,
    at: Date,
    measured: readonly CellState['check'][],
    throttles: CellState['throttles'],
  ) => {
    if (tx.now.lookedAt?.getTime() !== at.getTime()) return false;
    const [found] = measured;
    tx.write((state) => {
      state.throttles = throttles.map((one) => ({ ...one, sampledAt: at }));
      state.check = { value: found?.value ?? null, error: found?.error ?? null, sampledAt: at };
    });
    return true;
  },
  ...{ beginReadOnly: async () => undefined, saveMarks: async () => undefined },
  inSavepoint: async (_tx: CellTx, read: () => Promise<unknown>) => read(),
  readBuiltIn: async (tx: CellTx) => {
    const { probe } = tx.db.facts;
    if (probe === 'silent') throw raise('57014');
    return { reading: { value: probe === 'calm' ? 0.1 : 5, code: null }, mark: undefined };
  },
  findNewestBatch: async () => undefined,
  findNewestVerified: async () => undefined,
} as const;
