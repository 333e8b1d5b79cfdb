// Takes a cut-over back when a second person approves: the gate of the cell first, which remembers by whom, then control, which
// until then holds the data center's row. After a crash in between the same approval is given again, and is finished.
import { refuseReversal } from '../domain/cutover/cutover.js';
import { type ReversalId, showReversalId } from '../domain/cutover/reversal-id.js';
import { RolloutError } from '../kernel/rollout-error.js';
import type { GateHolder } from '../stores/cell/gate.js';
import { readRefusal, reverseCutover, wasReversed } from '../stores/cell/reversals.js';
import { appendAudit } from '../stores/control/audit.js';
import { type ControlTransaction, readControlClock } from '../stores/control/control-database.js';
import { type DataCenterRow, lockDataCenter, transitionDataCenter } from '../stores/control/data-centers.js';
import { identifyPerson } from '../stores/control/person.js';
import { decideReversal, findReversal, type ReversalRow } from '../stores/control/reversals.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import { changeGate } from './change-gate.js';
import type { EngineContext } from './context.js';
import { cutoverRefused, readCellCutover, toFacts, unknownDataCenter } from './cutover-facts.js';
import { explainFailure } from './explain-failure.js';
import { refuseWhileBusy } from './propose-reversal.js';
import { refuseSamePerson } from './two-people.js';

type ApproveContext = Pick<EngineContext, 'control' | 'cells' | 'actor' | 'bells' | 'clock'>;

/** Throws reversal_unknown, reversal_decided, same_person, cutover_refused; cell_busy while a run or a sign-up is under way. */
export async function approveReversal(
  context: ApproveContext,
  id: ReversalId,
  reason: string | null,
): Promise<ReversalRow> {
  try {
    const applied = await context.control.inTransaction((tx) => apply(context, tx, id, reason));
    await context.bells.wakeSchedulers();
    return applied;
  } catch (error) {
    throw explainFailure(error, `Data center "${id.dataCenter}"`);
  }
}

async function apply(
  context: ApproveContext,
  tx: ControlTransaction,
  id: ReversalId,
  reason: string | null,
): Promise<ReversalRow> {
  const person = await identifyPerson(tx, context.actor);
  const row = await lockDataCenter(tx, id.dataCenter);
  if (row === undefined) throw unknownDataCenter(id.dataCenter);
  const found = await getProposed(tx, id);
  refuseSamePerson(`The reversal ${showReversalId(id)}`, found.author, person);
  await refuseWhileBusy(tx, row);
  await reverseGate(context, row, { ...found, approver: person.name }, await readControlClock(tx));
  // before the instant: control's database lets it move by an applied proposal only
  const applied = await decideReversal(tx, found.reversalId, 'applied');
  if (applied === undefined) throw decided(id, found);
  const { toAt: cutoverAt, toLocal: cutoverLocal, fromAt, fromLocal } = applied;
  const change = {
    cutoverAt,
    cutoverLocal,
    cutoverSetAt: applied.decidedAt,
    gateConfiguredAt: cutoverAt,
    gateEffectiveAt: null,
    gateLatchedAt: null,
    gateSweptAt: null,
  };
  if (!(await transitionDataCenter(tx, row, change)))
    throw new RolloutError('conflict', { message: `Data center "${row.id}" was changed by somebody else.` });
  const details = {
    reversal: showReversalId(id),
    author: applied.author,
    from_at: fromAt,
    from_local: fromLocal,
    effective_at: row.gateEffectiveAt,
    latched_at: row.gateLatchedAt,
    to_at: cutoverAt,
    to_local: cutoverLocal,
  };
  await appendAudit(tx, { actor: context.actor, action: 'reversed', dataCenter: row.id, reason, details });
  return applied;
}

async function getProposed(tx: ControlTransaction, id: ReversalId): Promise<ReversalRow> {
  const found = await findReversal(tx, id.reversalId);
  if (found === undefined || found.dataCenter !== id.dataCenter)
    throw new RolloutError('reversal_unknown', {
      message: `Data center "${id.dataCenter}" has no reversal ${showReversalId(id)}.`,
    });
  if (found.state !== 'proposed') throw decided(id, found);
  return found;
}

const decided = (id: ReversalId, { state, approver }: ReversalRow): RolloutError =>
  new RolloutError('reversal_decided', {
    message: `The reversal ${showReversalId(id)} was ${state} already${approver === null ? '' : `, approved by "${approver}"`}.`,
  });

type Approved = Omit<ReversalRow, 'approver'> & { readonly approver: string };

async function reverseGate(
  context: ApproveContext,
  row: DataCenterRow,
  reversal: Approved,
  controlNow: Date,
): Promise<void> {
  const { reversalId, toAt, toLocal } = reversal;
  // an approval that was cut off: the cell has done it, and control is to follow
  if (await context.cells.get(row.id).inTransaction('fencer', (tx) => wasReversed(tx, reversalId))) return;
  const cell = await readCellCutover(context, row.id);
  const why = refuseReversal(toFacts(row, controlNow, cell), { at: toAt, local: toLocal });
  if (why !== undefined) throw cutoverRefused(row.id, 'be reversed', why);
  await reversePatiently(context, row.id, reversal);
}

const ATTEMPTS = 4;
const PAUSE_MS = 200;

/** Sign-ups that are under way hold the gate for moments; control waits meanwhile, so not for long. */
async function reversePatiently(context: ApproveContext, dataCenter: string, reversal: Approved): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await attemptReversal(context, dataCenter, reversal);
    if (outcome.kind !== 'busy') return;
    if (attempt === ATTEMPTS) throw gateBusy(dataCenter, outcome.holders);
    await context.clock.sleep(PAUSE_MS);
  }
}

async function attemptReversal(context: ApproveContext, dataCenter: string, reversal: Approved) {
  try {
    return await changeGate(context, dataCenter, (tx) => reverseCutover(tx, reversal));
  } catch (error) {
    const refusal = readRefusal(classifyFailure(error).sqlstate);
    if (refusal === undefined) throw error;
    if (refusal === 'not_latched') throw cutoverRefused(dataCenter, 'be reversed', 'it is not latched any more');
    throw new RolloutError('cell_busy', {
      message: `The cut-over of data center "${dataCenter}" cannot be reversed now: its fence is open; nothing was changed.`,
    });
  }
}

function gateBusy(dataCenter: string, holders: readonly GateHolder[]): RolloutError {
  const named = holders.map(
    ({ pid, application }) => `${pid ?? 'a prepared transaction'}${application === '' ? '' : ` (${application})`}`,
  );
  return new RolloutError('cell_busy', {
    message: `The gate of data center "${dataCenter}" is held by sign-ups that have not ended: ${named.join(', ') || 'they ended meanwhile'}; nothing was changed.`,
  });
}
