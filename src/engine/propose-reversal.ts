// Proposes to take back a cut-over that has happened, or takes the proposal back. Nothing changes until a second person approves.
import { parseLocalInstant } from '../domain/calendar/parse-instant.js';
import { refuseReversal } from '../domain/cutover/cutover.js';
import { showReversalId } from '../domain/cutover/reversal-id.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { appendAudit } from '../stores/control/audit.js';
import { type ControlTransaction, readControlClock } from '../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters, lockDataCenter } from '../stores/control/data-centers.js';
import { listMaintenance } from '../stores/control/maintenance.js';
import { identifyPerson } from '../stores/control/person.js';
import { decideReversal, findOpenReversal, insertReversal, type ReversalRow } from '../stores/control/reversals.js';
import type { EngineContext } from './context.js';
import { cutoverRefused, readCellCutover, toFacts, unknownDataCenter } from './cutover-facts.js';
import { explainFailure } from './explain-failure.js';

export type { ReversalRow } from '../stores/control/reversals.js';

export interface ReversalProposal {
  readonly dataCenter: string;
  /** A local date or time in the data center's zone. */
  readonly to: string;
  readonly reason: string;
}

type ReverseContext = Pick<EngineContext, 'control' | 'cells' | 'actor'>;

/** Throws invalid_instant, cutover_refused, reversal_open; cell_busy while a run is under way there. */
export async function proposeReversal(
  context: ReverseContext,
  { dataCenter, to, reason }: ReversalProposal,
): Promise<ReversalRow> {
  try {
    const zone = await context.control.inTransaction(async (tx) => {
      const row = (await listDataCenters(tx)).find(({ id }) => id === dataCenter);
      if (row === undefined) throw unknownDataCenter(dataCenter);
      return row.zone;
    });
    const { instant, local } = parseLocalInstant(to, zone);
    const target = { at: instant, local: `${local} ${zone}` };
    const cell = await readCellCutover(context, dataCenter);
    return await context.control.inTransaction(async (tx) => {
      const row = await lockDataCenter(tx, dataCenter);
      if (row === undefined) throw unknownDataCenter(dataCenter);
      const open = await findOpenReversal(tx, dataCenter);
      if (open !== undefined) throw alreadyOpen(open);
      const why = refuseReversal(toFacts(row, await readControlClock(tx), cell), target) ?? refuseUnseen(row);
      if (why !== undefined) throw cutoverRefused(dataCenter, 'be reversed', why);
      await refuseWhileBusy(tx, row);
      await identifyPerson(tx, context.actor);
      const proposed = await insertReversal(tx, { dataCenter, toAt: target.at, toLocal: target.local, reason });
      await note(context, tx, 'reverse', proposed, reason);
      return proposed;
    });
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
}

/** Throws reversal_unknown when none is open. */
export async function withdrawReversal(
  context: ReverseContext,
  { dataCenter, reason }: Omit<ReversalProposal, 'to'>,
): Promise<ReversalRow> {
  try {
    return await context.control.inTransaction(async (tx) => {
      await identifyPerson(tx, context.actor);
      const open = await findOpenReversal(tx, dataCenter);
      const withdrawn = open && (await decideReversal(tx, open.reversalId, 'withdrawn'));
      if (withdrawn === undefined)
        throw new RolloutError('reversal_unknown', {
          message: `Data center "${dataCenter}" has no reversal that waits for its approval.`,
        });
      await note(context, tx, 'reverse_withdrawn', withdrawn, reason);
      return withdrawn;
    });
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
}

/** While orgs are being written, they are written by the line that holds. Throws cell_busy. Under the row's lock. */
export async function refuseWhileBusy(tx: ControlTransaction, { id, stage }: DataCenterRow): Promise<void> {
  const { open } = (await listMaintenance(tx))(id);
  if (open === null && stage === 'done') return;
  const busy = open === null ? `it is in stage ${stage}` : `a ${open.kind} run is open`;
  throw new RolloutError('cell_busy', {
    message: `The cut-over of data center "${id}" cannot be reversed now: ${busy}; nothing was changed.`,
    next: 'Try again when it is over: credit-rollout status',
  });
}

const refuseUnseen = ({ gateLatchedAt }: DataCenterRow): string | undefined =>
  gateLatchedAt === null ? 'control does not know of its latch yet; a scheduler reads it within moments' : undefined;

const alreadyOpen = (open: ReversalRow): RolloutError =>
  new RolloutError('reversal_open', {
    message: `Data center "${open.dataCenter}" has the reversal ${showReversalId(open)} to ${open.toLocal}, which waits for its approval.`,
    next: `Let a second person run: credit-rollout approve ${showReversalId(open)}; or take it back: credit-rollout cutover reverse --dc ${open.dataCenter} --withdraw --reason TEXT`,
  });

function note(
  context: ReverseContext,
  tx: ControlTransaction,
  action: string,
  row: ReversalRow,
  reason: string,
): Promise<void> {
  const { dataCenter, fromAt, fromLocal, toAt, toLocal } = row;
  const moved = { from_at: fromAt, from_local: fromLocal, to_at: toAt, to_local: toLocal };
  const details = { reversal: showReversalId(row), ...moved };
  return appendAudit(tx, { actor: context.actor, action, dataCenter, reason, details });
}
