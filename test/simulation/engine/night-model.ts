// The statements of src/stores/cell about nights, sweeps and the sign-up gate on the state in memory.
import type { FoundDrift } from '../../../src/stores/cell/reconcile/drift-writes.js';
import type { Sealed } from './approval-model.js';
import { type CellState, type CellTx, decided, deleteAllotments, retiredOf, writeAllotments } from './cell-state.js';
import { readComparedOrg } from './compared-org.js';
import { raise } from './database.js';
import { batchesOf, newBatch, newRun, runOf, updateRun } from './fence-model.js';

type Drift = CellState['drift'][number];

function updateDrift(tx: CellTx, which: (one: Drift) => boolean, change: Partial<Drift>): number {
  const found = tx.now.drift.filter(which).length;
  if (found > 0)
    tx.write((state) => {
      state.drift = state.drift.map((one) => (which(one) ? { ...one, ...change } : one));
    });
  return found;
}

const MAY: Readonly<Record<string, (one: Drift) => boolean>> = {
  falls: ({ movement, cause }) => movement === 'fall' && cause !== 'lapse' && cause !== 'rate card',
  lapses: ({ movement, cause }) => movement === 'fall' && cause === 'lapse',
  gone: ({ movement }) => movement === 'gone',
  card: ({ movement, cause }) => movement === 'fall' && cause === 'rate card',
};

function setGate(tx: CellTx, change: Partial<CellState['gate']>): void {
  tx.write((state) => {
    state.gate = { ...state.gate, ...change };
  });
}

const later = (one: Date, other: Date): Date => new Date(Math.max(one.getTime(), other.getTime()));

/** Whether a floor may fall under this cause. */
const floorMayFall = (cause: string): boolean => ['edition', 'lapse'].includes(cause);

export const nightModel = {
  openSealedMaintenance: async (tx: CellTx, seal: unknown) => {
    const { runId, of } = seal as Sealed;
    const kind = of ?? 'reconcile';
    if (runOf(tx.now, runId) === undefined)
      tx.write((state) => {
        state.runs = [...state.runs, newRun({ runId, kind, detected: false })];
      });
    const { latchedAt, sweptAt } = tx.now.gate;
    const isSwept = kind === 'sweep' && (latchedAt === null || sweptAt !== null);
    if (runOf(tx.now, runId)?.state !== 'open' || isSwept) throw raise('23001', 'seal_used');
  },
  findMaintenance: async (tx: CellTx, runId: bigint) => {
    const run = runOf(tx.now, runId);
    if (run === undefined) return undefined;
    const all = batchesOf(tx.now, runId);
    const last = Math.max(tx.now.fenceChangedAt.getTime(), ...all.map(({ doneAt }) => doneAt?.getTime() ?? 0));
    return {
      detected: run.detected,
      pending: all.filter(({ state }) => state !== 'done').length,
      found: all.filter(({ batchNo }) => batchNo > run.passFrom).length,
      ...{ inserted: 0, raised: 0, idleMs: tx.db.now.getTime() - last },
    };
  },
  findNewestRun: async (tx: CellTx) =>
    tx.now.runs.reduce<bigint | undefined>(
      (most, { runId }) => (most !== undefined && most > runId ? most : runId),
      undefined,
    ),
  countQuarantine: async (tx: CellTx, runId: bigint) => {
    const orgs = new Set(tx.now.quarantine.filter((one) => one.runId === runId).map(({ orgId }) => orgId)).size;
    return orgs === 0 ? [] : [{ reason: 'unknown edition', orgs }];
  },
  countUnswept: async (tx: CellTx, runId: bigint) => {
    const { effectiveAt } = tx.now.gate;
    const isSetAside = (id: string): boolean =>
      tx.now.quarantine.some((one) => one.runId === runId && one.orgId === id);
    return [...tx.now.orgs].filter(
      ([id, { createdAt }]) =>
        createdAt !== null &&
        effectiveAt !== null &&
        createdAt < effectiveAt &&
        !tx.now.allotments.has(id) &&
        !isSetAside(id),
    ).length;
  },
  beginPass: async (tx: CellTx, runId: bigint) => {
    const run = runOf(tx.now, runId);
    if (run?.state !== 'open' || !run.detected) return;
    const passFrom = Math.max(0, ...batchesOf(tx.now, runId).map(({ batchNo }) => batchNo));
    updateRun(tx, runId, { pass: run.pass + 1, detected: false, passFrom, searched: 0 });
  },
  markSwept: async (tx: CellTx) => {
    const { latchedAt, sweptAt } = tx.now.gate;
    if (latchedAt === null || sweptAt !== null) return false;
    setGate(tx, { sweptAt: new Date(Math.max(latchedAt.getTime(), tx.db.now.getTime())) });
    return true;
  },

  lockDetection: async (tx: CellTx, runId: bigint) => {
    const run = runOf(tx.now, runId);
    if (run === undefined || !tx.tryLock(`detection ${runId}`, 'exclusive')) return undefined;
    return { runId, pass: run.pass, nextId: null, state: run.searched === run.pass ? 'ended' : 'searching' };
  },
  readComparison: async (tx: CellTx, kind: 'all' | 'missing') => ({
    ...{ kind, lightAgentsCount: 'counted', lapsedBefore: '', cardHash: 'card' },
    window: tx.now.gate.sweptAt === null ? 'open' : 'swept',
  }),
  ...{ findEndBefore: async () => null, findSourceRangeEnd: async () => null, noteLeftOut: async () => 0 },
  compareRangeWithSource: async (tx: CellTx, _range: unknown, { kind }: { kind: 'all' | 'missing' }) => {
    const { orgs, allotments } = tx.now;
    const candidates =
      kind === 'all'
        ? [...new Set([...orgs.keys(), ...allotments.keys()])]
        : [...orgs.keys()].filter((id) => !allotments.has(id));
    return { orgs: orgs.size, allotments: allotments.size, candidates };
  },
  readCandidates: async (tx: CellTx, ids: readonly string[]) => ids.flatMap((id) => readComparedOrg(tx, id) ?? []),
  insertDrift: async (tx: CellTx, runId: bigint, found: readonly FoundDrift[]) => {
    const ids = found.map(({ orgId }) => orgId);
    const rows = found.map((one) => ({
      ...{ ...one, runId, batchNo: null, outcome: one.treatment === 'heal' ? 'to_heal' : 'proposed' },
      capped: one.treatment !== 'heal' && one.treatment !== 'propose',
    }));
    tx.write((state) => {
      state.drift = [...state.drift.filter((one) => one.runId !== runId || !ids.includes(one.orgId)), ...rows];
    });
  },
  quarantineListed: async (tx: CellTx, runId: bigint, ids: readonly string[]) =>
    tx.write((state) => {
      state.quarantine = [...state.quarantine, ...ids.map((orgId) => ({ runId, orgId }))];
    }),
  quarantineUnreadable: async () => 0,
  advanceDetection: async (
    tx: CellTx,
    { runId, pass }: { runId: bigint; pass: number },
    { allotments }: { allotments: number },
  ) => updateRun(tx, runId, { searched: pass, allotmentsSearched: allotments }),
  readFalls: async (tx: CellTx, runId: bigint) => {
    const ours = tx.now.drift.filter((one) => one.runId === runId);
    const count = (which: (one: Drift) => boolean): number => ours.filter(which).length;
    const counts = {
      raises: count(({ movement }) => movement === 'raise'),
      ...{ falls: count((one) => one.capped && MAY.falls?.(one) === true) },
      ...{ lapses: count((one) => one.capped && MAY.lapses?.(one) === true) },
      gone: count((one) => one.capped && one.movement === 'gone'),
      allotments: runOf(tx.now, runId)?.allotmentsSearched ?? 0,
    };
    return { counts, caps: { maxChanged: null, maxLapsed: null, falls: 'within_limits' as const } };
  },
  healCapped: async (tx: CellTx, runId: bigint, kind: string) =>
    updateDrift(
      tx,
      (one) => one.runId === runId && one.capped && one.outcome === 'proposed' && MAY[kind]?.(one) === true,
      { outcome: 'to_heal' },
    ),
  addRepairs: async (tx: CellTx, runId: bigint) => {
    const open = tx.now.drift.filter((one) => one.runId === runId && one.outcome === 'to_heal' && one.batchNo === null);
    const [first] = open;
    if (first === undefined) {
      updateRun(tx, runId, { detected: true });
      return 0;
    }
    const ids = open.filter(({ cause }) => cause === first.cause).map(({ orgId }) => orgId);
    const batchNo = Math.max(0, ...batchesOf(tx.now, runId).map((batch) => batch.batchNo)) + 1;
    updateDrift(tx, (one) => one.runId === runId && ids.includes(one.orgId), { batchNo });
    tx.write((state) => {
      state.batches = [...state.batches, { ...newBatch({ runId, batchNo, kind: 'repair', ids }), cause: first.cause }];
    });
    return 1;
  },
  readDriftCounts: async () => [],

  lockAllotments: async () => undefined,
  listOnOwnCard: async () => [],
  countUndecidable: async (tx: CellTx, ids: readonly string[]) =>
    ids.filter((id) => decided(tx, id)?.kind === 'quarantine').length,
  retireAllotments: async (tx: CellTx, runId: bigint, ids: readonly string[]) => {
    const gone = ids.filter((id) => tx.now.allotments.has(id) && !tx.now.orgs.has(id));
    deleteAllotments(tx, gone, 'gone', runId);
    return gone;
  },
  restoreRetired: async (tx: CellTx, runId: bigint, ids: readonly string[]) => {
    const back = ids.flatMap((orgId) => {
      const allotment = tx.now.allotments.has(orgId) ? null : retiredOf(tx.now, orgId);
      return allotment === null ? [] : [{ orgId, allotment }];
    });
    writeAllotments(tx, back, { cause: 'return', runId, over: 'insert' });
    return back.map(({ orgId }) => orgId);
  },
  repairAllotments: async (
    tx: CellTx,
    repair: { runId: bigint; kind: string; cause: string; ids: readonly string[] },
  ) => {
    const { runId, kind, cause, ids } = repair;
    const isHealed = (id: string): boolean =>
      tx.now.drift.some((one) => one.runId === runId && one.orgId === id && one.outcome === 'to_heal');
    const written = ids.filter(isHealed).flatMap((orgId) => {
      const now = decided(tx, orgId);
      const stored = tx.now.allotments.get(orgId) ?? null;
      if (now?.kind !== 'decided' || now.movement === 'same') return [];
      if (stored !== null && now.movement === 'first') return [];
      const floorFalls = stored?.floor != null && (now.allotment.floor ?? -1n) < stored.floor;
      if ((now.movement === 'fall' && kind !== 'reconcile') || (floorFalls && !floorMayFall(cause))) return [];
      return [
        { orgId, allotment: now.allotment, movement: now.movement, way: stored === null ? 'inserted' : 'updated' },
      ];
    });
    writeAllotments(tx, written, { cause, runId, over: 'update' });
    return written.map(({ allotment, ...one }) => ({ ...one, totalCredits: String(allotment.totalCredits) }));
  },
  settleDrift: async (tx: CellTx, runId: bigint, ids: readonly string[], healed: readonly string[]) => {
    const isIt = (one: Drift): boolean => one.runId === runId && ids.includes(one.orgId) && one.outcome === 'to_heal';
    updateDrift(tx, (one) => isIt(one) && !healed.includes(one.orgId), { outcome: 'unchanged' });
    updateDrift(tx, isIt, { outcome: 'healed' });
  },

  readGate: async (tx: CellTx) => ({ ...tx.now.gate, configuredLocal: null }),
  listGateHolders: async () => [],
  saveGateArmed: async (tx: CellTx, seal: unknown) => {
    const { at, setAt } = seal as Sealed;
    if (!tx.tryLock('gate', 'exclusive')) throw raise('55P03');
    const { gate } = tx.now;
    const now = tx.db.now;
    if (at === null || (gate.configuredSetAt !== null && setAt !== null && gate.configuredSetAt > setAt))
      throw raise('23001', 'seal_used');
    const isOpen = gate.latchedAt === null && (gate.effectiveAt === null || gate.effectiveAt > now);
    const differs = gate.effectiveAt === null || gate.configuredAt?.getTime() !== at.getTime();
    if (isOpen && differs) setGate(tx, { configuredAt: at, configuredSetAt: setAt, effectiveAt: later(at, now) });
    const armed = tx.now.gate.configuredAt?.getTime() === at.getTime() && tx.now.gate.effectiveAt !== null;
    return { kind: armed ? 'armed' : 'too_late' };
  },
  saveGateDisarmed: async (tx: CellTx) => {
    if (!tx.tryLock('gate', 'exclusive')) throw raise('55P03');
    const { effectiveAt, latchedAt } = tx.now.gate;
    if (latchedAt === null && effectiveAt !== null && effectiveAt > tx.db.now) setGate(tx, { effectiveAt: null });
    return { kind: tx.now.gate.effectiveAt === null ? 'disarmed' : 'too_late' };
  },
  saveGateLatched: async (tx: CellTx) => {
    if (!tx.tryLock('gate', 'exclusive')) throw raise('55P03');
    const { effectiveAt, latchedAt } = tx.now.gate;
    if (latchedAt === null && effectiveAt !== null && effectiveAt <= tx.db.now) setGate(tx, { latchedAt: tx.db.now });
    return { kind: tx.now.gate.latchedAt === null ? 'not_due' : 'latched' };
  },
} as const;
