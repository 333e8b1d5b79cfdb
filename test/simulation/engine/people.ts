// What operators do in the simulation: the real verbs where they need no configuration, and else the statements of
// which the verb consists, in its order.
import { rejectMove } from '../../../src/domain/cutover/cutover.js';
import type { Intent } from '../../../src/domain/rollout/stage.js';
import type { EngineContext } from '../../../src/engine/context.js';
import { armGate } from '../../../src/engine/cutover/gate.js';
import { lockKnownDataCenter } from '../../../src/engine/data-center.js';
import { freeze, unfreeze } from '../../../src/engine/operate/freeze.js';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { planName } from '../../../src/engine/plan/plan-id.js';
import { registerPlanFromCell } from '../../../src/engine/plan/register-plan.js';
import { retryRun } from '../../../src/engine/rollout/retry-run.js';
import { transitionDataCenter } from '../../../src/stores/control/data-centers.js';
import { sealCutover } from '../../../src/stores/control/seals.js';
import type { CellDb, CellTx } from './cell-state.js';
import { hasRested } from './control-model.js';
import type { ControlTx } from './control-state.js';
import { makePlanRow, undoableRun } from './orgs-model.js';
import type { Process } from './process.js';
import { cellOf, type World } from './world.js';

const settings = { cardHash: 'card', batchSize: 2, lanes: 2 };

/** As `apply --execute` writes it once everything is checked. */
export const apply = ({ control }: EngineContext, id: string): Promise<unknown> =>
  control.inTransaction(async (tx) => {
    const row = await lockKnownDataCenter(tx, id);
    if (!hasRested(row)) return;
    const requestedAt = (tx as unknown as ControlTx).db.now;
    await transitionDataCenter(tx, row, { intent: 'run', requestedAt, requestReason: null, planId: null, settings });
  });

export const intend = (context: EngineContext, dataCenter: string, intent: Intent): Promise<unknown> =>
  setIntent(context, { dataCenter, intent, reason: null });

export const retry = (context: EngineContext, id: string): Promise<unknown> => retryRun(context, id, null);

export const approve = async (context: EngineContext, id: string): Promise<unknown> => {
  const row = await context.control.inTransaction((tx) => lockKnownDataCenter(tx, id));
  return row.planId === null
    ? undefined
    : approvePlan({ ...context, actor: 'bob' }, { planId: row.planId, reason: null });
};

export const freezeOne = (context: EngineContext, id: string): Promise<unknown> =>
  freeze(context, { dataCenters: [id], reason: null });

export const unfreezeOne = (context: EngineContext, id: string): Promise<unknown> =>
  unfreeze(context, { dataCenters: [id], reason: null });

/** As two people do it: the gate of the cell first, then control, under the lock of its row. */
export const moveCutover = (context: EngineContext, world: World, id: string, byMs: number): Promise<unknown> =>
  context.control.inTransaction(async (tx) => {
    const row = await lockKnownDataCenter(tx, id);
    const now = (tx as unknown as ControlTx).db.now;
    const cell = await context.cells.get(id).inTransaction('state', async (read) => {
      const { gate } = (read as unknown as CellTx).now;
      return { gate, now: cellOf(world, id).now };
    });
    const facts = { ...row, now: new Date(Math.max(cell.now.getTime(), now.getTime())), gate: cell.gate };
    const at = new Date(now.getTime() + byMs);
    if (rejectMove(facts, { at, local: 'then' }) !== undefined) return;
    if (!(await transitionDataCenter(tx, row, { cutoverAt: at, cutoverLocal: 'then' }))) return;
    const seal = await sealCutover(tx, id);
    if (cell.gate.effectiveAt === null || seal === undefined) return;
    const outcome = await armGate(context, id, seal);
    if (outcome.kind !== 'armed') throw Object.assign(new Error('too late'), { code: 'cutover_refused' });
  });

/** As `plan`: the cell makes one with its next number, and control registers it. */
export const planAgain = async (context: EngineContext, cell: CellDb, process: Process): Promise<unknown> => {
  const planId = await cell.inTransaction(process, 'quick', async (given) => {
    const tx = given as CellTx;
    const next = tx.now.planIds + 1n;
    tx.write((state) => {
      state.planIds = next;
    });
    makePlanRow(tx, next, 'ana');
    return next;
  });
  const row = await context.control.inTransaction((tx) => lockKnownDataCenter(tx, cell.name));
  return registerPlanFromCell(context, row, planName(cell.name, planId));
};

/** As `undo --execute`: the cell accepts the plan, then control has the request. */
export const undo = async (world: World, process: Process, id: string): Promise<void> => {
  // two that were asked for at once are two
  const undoId = BigInt(process.name.replace(/\D/gu, ''));
  const digest = `undo ${undoId}`;
  const accepted = await cellOf(world, id).inTransaction(process, 'quick', async (tx) => {
    const undoes = undoableRun(tx.now);
    if (undoes === undefined) return false;
    tx.write((state) => {
      const others = state.undoPlans.filter((plan) => plan.state !== 'accepted');
      state.undoPlans = [...others, { undoId, undoes, digest, state: 'accepted', runId: null }];
    });
    return true;
  });
  if (!accepted) return;
  await world.control.inTransaction(process, 'quick', async (tx) => {
    const row = tx.now.dataCenters.find((one) => one.id === id);
    const isOpen = tx.now.undos.some((one) => one.dataCenter === id && !one.isEnded);
    if (isOpen || row === undefined || !hasRested(row) || !['done', 'aborted', 'failed', 'undone'].includes(row.stage))
      return;
    const asked = { requestId: undoId, dataCenter: id, undoId, digest, reason: 'wrong', requestedBy: 'ana' };
    tx.write((state) => {
      state.undos = [...state.undos, { ...asked, runId: null, isEnded: false }];
    });
  });
};
