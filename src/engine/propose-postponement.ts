// Proposes another instant for a cut-over, or takes the proposal back. Nothing moves until a second person approves.
import { parseLocalInstant } from '../domain/calendar/parse-instant.js';
import { refuseMove } from '../domain/cutover/cutover.js';
import { showPostponementId } from '../domain/cutover/postponement-id.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { appendAudit } from '../stores/control/audit.js';
import { type ControlTransaction, readControlClock } from '../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters, lockDataCenter } from '../stores/control/data-centers.js';
import { identifyPerson } from '../stores/control/person.js';
import {
  decidePostponement,
  findOpenPostponement,
  insertPostponement,
  type PostponementRow,
} from '../stores/control/postponements.js';
import { readRollout } from '../stores/control/rollout.js';
import type { EngineContext } from './context.js';
import { cutoverRefused, readCellCutover, toFacts, unknownDataCenter } from './cutover-facts.js';
import { explainFailure } from './explain-failure.js';

export type { PostponementRow } from '../stores/control/postponements.js';

export interface PostponementProposal {
  readonly dataCenter: string;
  /** A local date or time in the data center's zone. */
  readonly to: string;
  readonly reason: string;
}

type PostponeContext = Pick<EngineContext, 'control' | 'cells' | 'actor'>;

/** Throws invalid_instant (gaps and overlaps with both candidates), cutover_refused, postponement_open. */
export async function proposePostponement(
  context: PostponeContext,
  proposal: PostponementProposal,
): Promise<PostponementRow> {
  const { dataCenter, to, reason } = proposal;
  try {
    const { zone } = await context.control.inTransaction((tx) => getPinned(tx, dataCenter));
    const { instant, local } = parseLocalInstant(to, zone);
    const target = { at: instant, local: `${local} ${zone}` };
    const cell = await readCellCutover(context, dataCenter);
    return await context.control.inTransaction(async (tx) => {
      const row = await lockDataCenter(tx, dataCenter);
      if (row === undefined) throw unknownDataCenter(dataCenter);
      const open = await findOpenPostponement(tx, dataCenter);
      if (open !== undefined) throw alreadyOpen(open);
      const why = refuseMove(toFacts(row, await readControlClock(tx), cell), target);
      if (why !== undefined) throw cutoverRefused(dataCenter, 'move', why);
      await identifyPerson(tx, context.actor);
      const given = { dataCenter, toAt: target.at, toLocal: target.local, reason };
      const proposed = await insertPostponement(tx, given);
      await note(context, tx, 'postpone', proposed, reason);
      return proposed;
    });
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
}

/** Throws postponement_unknown when none is open. */
export async function withdrawPostponement(
  context: PostponeContext,
  { dataCenter, reason }: Omit<PostponementProposal, 'to'>,
): Promise<PostponementRow> {
  try {
    return await context.control.inTransaction(async (tx) => {
      await identifyPerson(tx, context.actor);
      const open = await findOpenPostponement(tx, dataCenter);
      const withdrawn = open && (await decidePostponement(tx, open.postponementId, 'withdrawn'));
      if (withdrawn === undefined)
        throw new RolloutError('postponement_unknown', {
          message: `Data center "${dataCenter}" has no postponement that waits for its approval.`,
        });
      await note(context, tx, 'postpone_withdrawn', withdrawn, reason);
      return withdrawn;
    });
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
}

/** Before the first apply an instant is only what the configuration says. */
async function getPinned(tx: ControlTransaction, dataCenter: string): Promise<DataCenterRow> {
  const row = (await listDataCenters(tx)).find(({ id }) => id === dataCenter);
  if (row === undefined) throw unknownDataCenter(dataCenter);
  if ((await readRollout(tx)).pinnedAt !== null) return row;
  throw new RolloutError('cutover_refused', {
    message: `The cut-over of data center "${dataCenter}" cannot move: no apply has pinned its instant yet.`,
    next: 'Change signups.cutover in the configuration.',
  });
}

const alreadyOpen = (open: PostponementRow): RolloutError =>
  new RolloutError('postponement_open', {
    message: `Data center "${open.dataCenter}" has the postponement ${showPostponementId(open)} to ${open.toLocal}, which waits for its approval.`,
    next: `Let a second person run: credit-rollout approve ${showPostponementId(open)}; or take it back: credit-rollout cutover postpone --dc ${open.dataCenter} --withdraw --reason TEXT`,
  });

function note(
  context: PostponeContext,
  tx: ControlTransaction,
  action: string,
  row: PostponementRow,
  reason: string,
): Promise<void> {
  const { dataCenter, fromAt, fromLocal, toAt, toLocal } = row;
  const moved = { from_at: fromAt, from_local: fromLocal, to_at: toAt, to_local: toLocal };
  const details = { postponement: showPostponementId(row), ...moved };
  return appendAudit(tx, { actor: context.actor, action, dataCenter, reason, details });
}
