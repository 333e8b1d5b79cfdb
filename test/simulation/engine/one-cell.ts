// The model's side of a history of one cell: the engine's own verbs on the model, with nobody else in its way.
import type { OrgInputs } from '../../../src/domain/source/org-inputs.js';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import type { WorkerContext } from '../../../src/engine/context.js';
import { detectDrift } from '../../../src/engine/reconcile/detect-drift.js';
import { askBy } from '../model/ask.js';
import { groupByOrg, type HistoryCell, type HistorySeal, showAllotment } from '../model/histories.js';
import { asSeal, type Sealed } from './approval-model.js';
import type { CellState, CellTx } from './cell-state.js';
import { makePlanRow, undoableRun } from './orgs-model.js';
import { Process } from './process.js';
import { makeProductOrg, PRODUCT_EDITS } from './product.js';
import { callStore, noFunction } from './seams.js';
import { cellOf, contextOf, createWorld, IDS } from './world.js';

export interface ModelCell extends HistoryCell {
  orgs(): ReadonlyMap<string, OrgInputs>;
  put(orgId: string, org: OrgInputs | undefined): Promise<void>;
}

/** What an edit of the product makes of an org; undefined: it deletes it. */
export const editOf = (org: OrgInputs, how: number): OrgInputs | undefined =>
  PRODUCT_EDITS[how % (PRODUCT_EDITS.length + 1)]?.(org);

export { makeProductOrg };

export function createModelCell(): ModelCell {
  const world = createWorld();
  const [id] = IDS;
  const db = cellOf(world, id);
  const process = new Process('compared', 'worker');
  process.budget = Number.MAX_SAFE_INTEGER;
  const context: WorkerContext = {
    ...contextOf(world, process),
    clock: { now: () => new Date(world.clock.nowMs), sleep: async () => undefined },
  };
  const inCell = <T>(work: (tx: CellTx) => Promise<T>): Promise<T> => {
    world.clock.nowMs = Date.now();
    return db.inTransaction(process, 'quick', (tx) => work(tx as CellTx));
  };
  const write = (change: (state: CellState) => void): Promise<void> => inCell(async (tx) => tx.write(change));
  return {
    inTransaction: (_role, work) =>
      inCell((tx) => work(askBy((name, rest) => callStore(name, [tx, ...rest], noFunction)))),
    seal: async (sealing) => asSeal(sealOf(sealing)),
    makePlan: () =>
      inCell(async (tx) => {
        const planId = tx.now.planIds + 1n;
        tx.write((state) => {
          state.planIds = planId;
        });
        makePlanRow(tx, planId, 'ana');
        return { planId, digest: tx.now.plans.at(-1)?.digest ?? '' };
      }),
    acceptUndo: () =>
      inCell(async (tx) => {
        const undoes = undoableRun(tx.now);
        if (undoes === undefined) return undefined;
        const accepted = { undoId: BigInt(tx.now.undoPlans.length + 1), digest: 'compared' };
        tx.write((state) => {
          state.undoPlans = [...state.undoPlans, { ...accepted, undoes, state: 'accepted', runId: null }];
        });
        return accepted;
      }),
    apply: async (epoch) => (await applyBatches(context, { dataCenter: id, epoch, forMs: 60_000 })).last.kind,
    detect: (epoch) => detectDrift(context, { dataCenter: id, epoch }),
    look: async () => look(db.state),
    orgs: () => db.state.orgs,
    put: (orgId, org) =>
      write((state) => {
        const orgs = new Map(state.orgs);
        if (org === undefined) orgs.delete(orgId);
        else orgs.set(orgId, org);
        state.orgs = orgs;
      }),
  };
}

const sealOf = (sealing: HistorySeal): Sealed => ({
  ...{ kind: sealing.kind, dataCenter: IDS[0], runId: sealing.runId, of: 'reconcile', at: null, setAt: null },
  planId: sealing.kind === 'run' ? sealing.planId : sealing.kind === 'undo_run' ? sealing.undoId : null,
  digest: sealing.kind === 'maintenance' ? '' : sealing.digest,
});

function look({ runs, allotments, changes, drift, quarantine }: CellState): Awaited<ReturnType<HistoryCell['look']>> {
  const newest = runs.reduce<bigint | null>((most, { runId }) => (most === null || runId > most ? runId : most), null);
  const ofNewest = <T extends { readonly runId: bigint; readonly orgId: string }>(rows: readonly T[]): readonly T[] =>
    rows.filter(({ runId }) => runId === newest).toSorted((a, b) => (a.orgId < b.orgId ? -1 : 1));
  return {
    allotments: Object.fromEntries([...allotments].map(([orgId, row]) => [orgId, showAllotment({ ...row })])),
    changes: groupByOrg(
      // what an undo takes away is recorded elsewhere
      changes.filter(({ operation, cause }) => operation === 'update' || (operation === 'delete' && cause !== 'undo')),
      ({ operation, cause }) => `${operation} by ${cause}`,
    ),
    drift: Object.fromEntries(
      ofNewest(drift).map(({ orgId, cause, movement, outcome }) => [orgId, `${cause}, ${movement}, ${outcome}`]),
    ),
    quarantined: [...new Set(ofNewest(quarantine).map(({ orgId }) => orgId))],
  };
}
