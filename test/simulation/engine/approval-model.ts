// Plans, approvals, seals and requests of undos in the control database of the simulation: the statements of
// src/stores/control about them, with what the database refuses. A seal is a document that only these functions make.

import { SLOT_STAGES } from '../../../src/domain/rollout/stage.js';
import type { ApprovalRow } from '../../../src/stores/control/approvals.js';
import type { NewRegisteredPlan, RegisteredPlan } from '../../../src/stores/control/plans.js';
import type { Seal } from '../../../src/stores/seal.js';
import type { ControlState, ControlTx, SimulatedRun } from './control-state.js';
import { raise } from './database.js';

const HOURS_72 = 72 * 3_600_000;
const numberOf = (planId: string): number => Number(/\d+$/u.exec(planId)?.[0] ?? 0);

const stateOf = (one: ApprovalRow, now: Date): ApprovalRow['state'] => {
  if (one.usedAt !== null) return 'used';
  if (one.voidedAt !== null) return 'voided';
  return one.expiresAt <= now ? 'expired' : 'open';
};

const read = (tx: ControlTx): readonly ApprovalRow[] =>
  tx.now.approvals.map((one) => ({ ...one, state: stateOf(one, tx.db.now) }));

function change(tx: ControlTx, which: (one: ApprovalRow) => boolean, with_: Partial<ApprovalRow>): number {
  const found = read(tx)
    .filter((one) => one.state === 'open' && which(one))
    .map(({ approvalId }) => approvalId);
  if (found.length > 0)
    tx.write((state) => {
      state.approvals = state.approvals.map((one) => (found.includes(one.approvalId) ? { ...one, ...with_ } : one));
    });
  return found.length;
}

const openRun = (state: ControlState, id: bigint): SimulatedRun | undefined =>
  state.runs.find(({ runId, state: how }) => runId === id && how === 'open');

/** What a seal says. In the databases it is a text with a MAC. */
export interface Sealed {
  readonly kind: 'run' | 'undo_run' | 'maintenance' | 'cutover';
  readonly dataCenter: string;
  readonly runId: bigint;
  readonly planId: bigint | null;
  readonly digest: string;
  readonly of: 'reconcile' | 'sweep' | null;
  readonly at: Date | null;
  readonly setAt: Date | null;
}

/** In the model a seal is what it says: nobody forges one. */
export const asSeal = (sealed: Sealed): Seal => sealed as unknown as Seal;

const seal = (fields: Partial<Sealed> & Pick<Sealed, 'kind' | 'dataCenter'>): Sealed => ({
  ...{ runId: 0n, planId: null, digest: '', of: null, at: null, setAt: null },
  ...fields,
});

export const approvalModel = {
  findRegisteredPlan: async (tx: ControlTx, planId: string) => tx.now.plans.find((plan) => plan.planId === planId),
  insertRegisteredPlan: async (tx: ControlTx, plan: NewRegisteredPlan) => {
    if (tx.now.plans.some(({ planId }) => planId === plan.planId)) return false;
    const { seal: _, ...given } = plan;
    const at = { snapshotAt: new Date(plan.snapshotAt), registeredAt: tx.db.now };
    const row: RegisteredPlan = { ...given, ...at, insideRails: plan.rails.every(({ passes }) => passes) };
    tx.write((state) => {
      state.plans = [...state.plans, row];
    });
    return true;
  },
  listPlanApprovals: async (tx: ControlTx, planId: string) =>
    read(tx)
      .filter((one) => one.planId === planId)
      .toReversed(),
  findApproval: async (tx: ControlTx, planId: string) =>
    read(tx).find((one) => one.planId === planId && one.state === 'open'),
  findBlockingApproval: async (tx: ControlTx, dataCenter: string, planId: string) =>
    read(tx)
      .filter((one) => one.dataCenter === dataCenter && (one.state === 'open' || one.state === 'used'))
      .filter((one) => numberOf(one.planId) >= numberOf(planId))
      .toSorted((a, b) => numberOf(b.planId) - numberOf(a.planId) || Number(b.approvalId - a.approvalId))[0],
  insertApproval: async (tx: ControlTx, given: Pick<ApprovalRow, 'planId' | 'kind' | 'reason'>) => {
    const plan = tx.now.plans.find(({ planId }) => planId === given.planId);
    if (plan === undefined) throw raise('23503');
    const approver = given.kind === 'person' ? 'bob' : null;
    if (approver === plan.author) throw raise('23514', 'approvals_two_people_check');
    const { dataCenter, digest, author } = plan;
    const now = tx.db.now;
    const row: ApprovalRow = {
      ...given,
      ...{ approvalId: BigInt(tx.now.approvals.length + 1), dataCenter, digest, author, approver, approvedAt: now },
      ...{ expiresAt: new Date(now.getTime() + HOURS_72), usedAt: null, usedByRun: null, voidedAt: null },
      ...{ voidReason: null, voidedBy: null, state: 'open' },
    };
    tx.write((state) => {
      state.approvals = [...state.approvals, row];
    });
    return row;
  },
  useApproval: async (tx: ControlTx, approvalId: bigint, runId: bigint) =>
    change(tx, (one) => one.approvalId === approvalId, { usedAt: tx.db.now, usedByRun: runId }) === 1,
  voidApprovals: async (tx: ControlTx, dataCenter: string, reason: string) => {
    change(tx, (one) => one.dataCenter === dataCenter, { voidedAt: tx.db.now, voidReason: reason });
    return [];
  },

  listOpenUndos: async (tx: ControlTx) => tx.now.undos.filter(({ isEnded }) => !isEnded),
  findOpenUndo: async (tx: ControlTx, id: string) =>
    tx.now.undos.find(({ dataCenter, isEnded }) => dataCenter === id && !isEnded),
  claimUndoRequest: async (tx: ControlTx, requestId: bigint, runId: bigint) => {
    const found = tx.now.undos.some((one) => one.requestId === requestId && one.runId === null && !one.isEnded);
    if (found)
      tx.write((state) => {
        state.undos = state.undos.map((one) => (one.requestId === requestId ? { ...one, runId } : one));
      });
    return found;
  },
  endUndoRequest: async (tx: ControlTx, requestId: bigint) => {
    const found = tx.now.undos.some((one) => one.requestId === requestId && one.runId === null && !one.isEnded);
    if (found)
      tx.write((state) => {
        state.undos = state.undos.map((one) => (one.requestId === requestId ? { ...one, isEnded: true } : one));
      });
    return found;
  },

  /** Only of an open run of a data center in a stage of a rollout, whose plan has an approval that this run used. */
  sealRun: async (tx: ControlTx, runId: bigint) => {
    const run = openRun(tx.now, runId);
    const row = tx.now.dataCenters.find((one) => one.id === run?.dataCenter && one.runId === runId);
    const approval = tx.now.approvals.find((one) => one.usedByRun === runId && one.planId === row?.planId);
    const plan = tx.now.plans.find((one) => one.planId === approval?.planId && one.digest === approval?.digest);
    if (run?.kind !== 'migrate' || row === undefined || plan === undefined) return undefined;
    if (!SLOT_STAGES.includes(row.stage) || row.stage === 'undoing') return undefined;
    const planId = BigInt(numberOf(plan.planId));
    return seal({ kind: 'run', dataCenter: row.id, runId, planId, digest: plan.digest });
  },
  sealUndo: async (tx: ControlTx, runId: bigint) => {
    const request = tx.now.undos.find((one) => one.runId === runId && !one.isEnded);
    const row = tx.now.dataCenters.find((one) => one.id === request?.dataCenter && one.runId === runId);
    if (openRun(tx.now, runId)?.kind !== 'undo' || request === undefined || row?.stage !== 'undoing') return undefined;
    return seal({ kind: 'undo_run', dataCenter: row.id, runId, planId: request.undoId, digest: request.digest });
  },
  sealMaintenance: async (tx: ControlTx, runId: bigint) => {
    const run = openRun(tx.now, runId);
    if (run === undefined || (run.kind !== 'reconcile' && run.kind !== 'sweep')) return undefined;
    return seal({ kind: 'maintenance', dataCenter: run.dataCenter, runId, of: run.kind });
  },
  sealCutover: async (tx: ControlTx, id: string) => {
    const row = tx.now.dataCenters.find((one) => one.id === id);
    if (row?.cutoverAt == null) return undefined;
    return seal({ kind: 'cutover', dataCenter: id, at: row.cutoverAt, setAt: row.cutoverSetAt });
  },
} as const;
