// Moves a cut-over when a second person approves it: the gate of the cell first, since it is what sign-ups ask, then control,
// which until then holds the data center's row. A crash in between leaves the old instant standing.
import { refuseMove } from '../domain/cutover/cutover.js';
import { type PostponementId, showPostponementId } from '../domain/cutover/postponement-id.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { appendAudit } from '../stores/control/audit.js';
import { type ControlTransaction, readControlClock } from '../stores/control/control-database.js';
import { type DataCenterRow, lockDataCenter, transitionDataCenter } from '../stores/control/data-centers.js';
import { identifyPerson } from '../stores/control/person.js';
import { decidePostponement, findPostponement, type PostponementRow } from '../stores/control/postponements.js';
import { type ArmOutcome, armGate } from './arm-gate.js';
import type { EngineContext } from './context.js';
import { cutoverRefused, readCellCutover, toFacts, unknownDataCenter } from './cutover-facts.js';
import { explainFailure } from './explain-failure.js';
import { refuseSamePerson } from './two-people.js';

type ApproveContext = Pick<EngineContext, 'control' | 'cells' | 'actor' | 'bells' | 'clock'>;

/** Throws postponement_unknown, postponement_decided, same_person, cutover_refused; cell_busy while a sign-up holds the gate. */
export async function approvePostponement(
  context: ApproveContext,
  id: PostponementId,
  reason: string | null,
): Promise<PostponementRow> {
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
  id: PostponementId,
  reason: string | null,
): Promise<PostponementRow> {
  const person = await identifyPerson(tx, context.actor);
  const row = await lockDataCenter(tx, id.dataCenter);
  if (row === undefined) throw unknownDataCenter(id.dataCenter);
  const found = await getProposed(tx, id);
  refuseSamePerson(`The postponement ${showPostponementId(id)}`, found.author, person);
  await moveGate(context, row, found, await readControlClock(tx));
  // before the instant: control's database lets it move by an applied postponement only
  const applied = await decidePostponement(tx, found.postponementId, 'applied');
  if (applied === undefined) throw decided(id, found);
  const { toAt: cutoverAt, toLocal: cutoverLocal, fromAt, fromLocal } = applied;
  const change = { cutoverAt, cutoverLocal, cutoverSetAt: applied.decidedAt };
  if (!(await transitionDataCenter(tx, row, change)))
    throw new RolloutError('conflict', { message: `Data center "${row.id}" was changed by somebody else.` });
  const details = {
    postponement: showPostponementId(id),
    author: applied.author,
    from_at: fromAt,
    from_local: fromLocal,
    to_at: cutoverAt,
    to_local: cutoverLocal,
  };
  await appendAudit(tx, { actor: context.actor, action: 'postponed', dataCenter: row.id, reason, details });
  return applied;
}

async function getProposed(tx: ControlTransaction, id: PostponementId): Promise<PostponementRow> {
  const found = await findPostponement(tx, id.postponementId);
  if (found === undefined || found.dataCenter !== id.dataCenter)
    throw new RolloutError('postponement_unknown', {
      message: `Data center "${id.dataCenter}" has no postponement ${showPostponementId(id)}.`,
    });
  if (found.state !== 'proposed') throw decided(id, found);
  return found;
}

const decided = (id: PostponementId, { state, approver }: PostponementRow): RolloutError =>
  new RolloutError('postponement_decided', {
    message: `The postponement ${showPostponementId(id)} was ${state} already${approver === null ? '' : `, approved by "${approver}"`}.`,
  });

/** An armed gate moves with it, at once and without a scheduler; one that is not armed is armed for the new instant later. */
async function moveGate(
  context: ApproveContext,
  row: DataCenterRow,
  { toAt, toLocal }: PostponementRow,
  controlNow: Date,
): Promise<void> {
  const cell = await readCellCutover(context, row.id);
  const why = refuseMove(toFacts(row, controlNow, cell), { at: toAt, local: toLocal });
  if (why !== undefined) throw cutoverRefused(row.id, 'move', why);
  if (cell.gate.effectiveAt === null) return;
  const outcome = await armPatiently(context, { dataCenter: row.id, configuredAt: toAt, configuredLocal: toLocal });
  if (outcome.kind === 'too_late')
    throw cutoverRefused(row.id, 'move', 'its instant came in this moment, and sign-ups have started on credits since');
}

const ATTEMPTS = 4;
const PAUSE_MS = 200;

/** Sign-ups that are under way hold the gate for moments; control waits meanwhile, so not for long. */
async function armPatiently(
  context: ApproveContext,
  cutover: Parameters<typeof armGate>[1],
): Promise<Exclude<ArmOutcome, { kind: 'busy' }>> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await armGate(context, cutover);
    if (outcome.kind !== 'busy') return outcome;
    if (attempt === ATTEMPTS) throw gateBusy(cutover.dataCenter, outcome.holders);
    await context.clock.sleep(PAUSE_MS);
  }
}

function gateBusy(
  dataCenter: string,
  holders: readonly { readonly pid: number | null; readonly application: string }[],
): RolloutError {
  const named = holders.map(
    ({ pid, application }) => `${pid ?? 'a prepared transaction'}${application === '' ? '' : ` (${application})`}`,
  );
  return new RolloutError('cell_busy', {
    message: `The gate of data center "${dataCenter}" is held by sign-ups that have not ended: ${named.join(', ') || 'they ended meanwhile'}; nothing was changed.`,
  });
}
