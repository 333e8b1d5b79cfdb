// Faults that are planted, each in the place of one function of a store, of the engine or of the domain: what the
// simulation must find. Never a switch in the product.

import type { OrgDecision } from '../../../src/domain/org/decide-org.js';
import type { Decision } from '../../../src/domain/rollout/decision.js';
import type { DataCenterSnapshot, Snapshot } from '../../../src/domain/rollout/snapshot.js';
import type { CellTx } from './cell-state.js';
import type { ControlTx } from './control-state.js';
import type { PlantedFaults } from './seams.js';

type Decide = (snapshot: Snapshot, dc: DataCenterSnapshot) => Decision;
type Work = (...given: readonly unknown[]) => unknown;

const nothing = async (): Promise<undefined> => undefined;

/** Whatever the fence of the cell says. */
const asIfOpen =
  (change: (tx: CellTx) => void) =>
  async (real: Work, tx: CellTx, ...rest: readonly unknown[]): Promise<unknown> => {
    const kept = { timeline: tx.db.timeline, server: tx.db.server };
    change(tx);
    try {
      return await real(tx, ...rest);
    } finally {
      Object.assign(tx.db, kept);
    }
  };

/** The store reads a row that differs from the committed one, and writes nothing of it. */
const seeing = (tx: CellTx, fields: object, methods: object = {}): CellTx =>
  new Proxy(tx, {
    get: (target, key) => {
      if (key === 'now') return { ...target.now, ...fields };
      const value = (Reflect.get(methods, key) ?? Reflect.get(target, key, target)) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

const without = (decision: Decision, kind: string): Decision => ({
  ...decision,
  steps: decision.steps.filter((step) => step.kind !== kind),
});

export const PLANTS: Readonly<Record<string, PlantedFaults>> = {
  'a batch takes no lock of the fence': { lockFenceShared: nothing },
  'a close waits for no batch': { lockFenceExclusive: nothing },
  'a batch does not compare the epoch': {
    findOpenRun: (real: Work, tx: CellTx, _epoch: bigint, scope: string) => real(tx, tx.now.fence.epoch, scope),
  },
  'a batch does not ask for timeline and server': {
    findOpenRun: asIfOpen((tx) => {
      Object.assign(tx.db, { timeline: tx.now.fence.timeline, server: tx.now.fence.server });
    }),
  },
  'a batch does not ask for a freeze': {
    findOpenRun: (real: Work, tx: CellTx, ...rest: readonly unknown[]) => real(seeing(tx, { freeze: null }), ...rest),
  },
  'a claim locks no row': {
    claimBatch: (real: Work, tx: CellTx, run: unknown) => real(seeing(tx, {}, { tryLock: () => true }), run),
  },
  'a checkpoint of another transaction': { completeBatch: async () => true },
  'a row is changed whatever its version': {
    transitionDataCenter: async (real: Work, tx: ControlTx, row: { id: string }, change: unknown) => {
      // as the update does: it waits for the row, and finds it whatever it is then
      await tx.lock(`row ${row.id}`, 'exclusive');
      return real(tx, tx.now.dataCenters.find(({ id }) => id === row.id) ?? row, change);
    },
  },
  'epochs that do not look at cells': { takeEpoch: (real: Work, tx: ControlTx) => real(tx, 0n) },
  'done before its fence is closed': {
    decideStep: (real: Decide, snapshot: Snapshot, dc: DataCenterSnapshot) => {
      const decision = real(snapshot, dc);
      const [step] = decision.steps;
      if (step?.kind !== 'close_fence' || step.reason !== 'every range is verified') return decision;
      return { steps: [{ kind: 'advance', to: 'baking', reason: 'planted' }], holds: [] };
    },
  },
  'a stage that does not wait for the verification': {
    decideStep: (real: Decide, snapshot: Snapshot, dc: DataCenterSnapshot) => {
      const { cell } = dc;
      if (dc.stage !== 'verifying' || cell?.kind !== 'read' || cell.run === undefined) return real(snapshot, dc);
      return real(snapshot, { ...dc, cell: { ...cell, run: { ...cell.run, verified: cell.run.batches } } });
    },
  },
  'no auditor': { decideAudit: () => undefined },
  'a fence that is closed in control only': {
    saveFenceClosed: async (real: Work, tx: CellTx, failure: string | null, epoch?: bigint) =>
      failure === null ? undefined : real(tx, failure, epoch),
  },
  'a seal of whatever plan the cell has': {
    openSealedRun: (real: Work, tx: CellTx, seal: { planId: bigint }) =>
      real(tx, { ...seal, digest: tx.now.plans.find(({ planId }) => planId === seal.planId)?.digest }),
  },
  'an approval by the author': {
    insertApproval: async (real: Work, tx: ControlTx, given: { planId: string }) => {
      const row = (await real(tx, given)) as { approvalId: bigint };
      tx.write((state) => {
        state.approvals = state.approvals.map((one) =>
          one.approvalId === row.approvalId ? { ...one, kind: 'person', approver: one.author } : one,
        );
      });
      return row;
    },
  },
  'a latch that asks no clock': {
    saveGateLatched: async (_real: Work, tx: CellTx) => {
      tx.write((state) => {
        state.gate = { ...state.gate, latchedAt: tx.db.now };
      });
      return { kind: 'latched' };
    },
    decideGate: (real: Decide, snapshot: Snapshot, dc: DataCenterSnapshot) => {
      const decision = real(snapshot, dc);
      const isArmed = dc.cell?.kind === 'read' && dc.cell.gate.effectiveAt !== null && dc.cell.gate.latchedAt === null;
      return isArmed ? { ...decision, steps: [{ kind: 'latch_gate', reason: 'planted' }] } : decision;
    },
  },
  'a latch that waits for no sign-up': {
    saveGateLatched: (real: Work, tx: CellTx) => real(seeing(tx, {}, { tryLock: () => true })),
  },
  'a gate that asks for no stage': {
    decideGate: (real: Decide, snapshot: Snapshot, dc: DataCenterSnapshot) => real(snapshot, { ...dc, stage: 'done' }),
    isGateDue: () => true,
  },
  'a sign-up by the clock of the product': {
    askGate: (_real: Work, tx: CellTx) => {
      const { effectiveAt } = tx.now.gate;
      const asked = new Date(tx.db.clock.nowMs);
      return { over: effectiveAt !== null && effectiveAt <= asked, decidedAt: tx.db.now };
    },
  },
  'a floor that grants nothing': {
    decideOrg: (real: (question: unknown) => OrgDecision, question: unknown) => {
      const decision = real(question);
      if (decision.kind !== 'decided') return decision;
      const { allotment } = decision;
      const totalCredits = allotment.totalCredits - allotment.grandfatheredCredits;
      return { ...decision, allotment: { ...allotment, grandfatheredCredits: 0n, totalCredits } };
    },
  },
  'an undo beside an armed gate': {
    openSealedUndo: (real: Work, tx: CellTx, seal: unknown) =>
      real(seeing(tx, { gate: { ...tx.now.gate, effectiveAt: null } }), seal),
    undoRange: (real: Work, tx: CellTx, ...rest: readonly unknown[]) =>
      real(seeing(tx, { gate: { ...tx.now.gate, effectiveAt: null } }), ...rest),
    decideUndoing: (
      real: (...given: readonly unknown[]) => Decision,
      snapshot: Snapshot,
      dc: unknown,
      cell: { gate: object },
    ) => real(snapshot, dc, { ...cell, gate: { ...cell.gate, effectiveAt: null } }),
    decideGate: (real: Decide, snapshot: Snapshot, dc: DataCenterSnapshot) =>
      without(real(snapshot, dc), 'disarm_gate'),
  },
  'a sweep that proves nothing': { countUnswept: async () => 0, compareRangeWithSource: async () => NOTHING_FOUND },
  'a feed that does not ask whether it may write': { mayWriteSingle: () => true },
};

const NOTHING_FOUND = { orgs: 0, allotments: 0, candidates: [] } as const;
