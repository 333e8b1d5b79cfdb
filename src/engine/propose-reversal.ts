// Proposes to take back a cut-over that has happened. Nothing changes until a second person approves.
import { refuseReversal } from '../domain/cutover/cutover.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { type ControlTransaction, readControlClock } from '../stores/control/control-database.js';
import type { DataCenterRow } from '../stores/control/data-centers.js';
import { listMaintenance } from '../stores/control/maintenance.js';
import type { EngineContext } from './context.js';
import { cutoverRefused, readCellCutover, toFacts } from './cutover-facts.js';
import {
  appendProposal,
  type CutoverProposal,
  lockUnproposed,
  type ProposalSpec,
  parseTarget,
} from './cutover-proposal.js';
import { explainFailure } from './explain-failure.js';
import { getDataCenter } from './get-data-center.js';

/** Throws invalid_instant, cutover_refused, reversal_open; cell_busy while a run is under way there. */
export async function proposeReversal(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor'>,
  { dataCenter, to, reason }: ProposalSpec,
): Promise<CutoverProposal> {
  try {
    const { zone } = await context.control.inTransaction((tx) => getDataCenter(tx, dataCenter));
    const target = parseTarget(to, zone);
    const cell = await readCellCutover(context, dataCenter);
    return await context.control.inTransaction(async (tx) => {
      const row = await lockUnproposed(tx, 'reversal', dataCenter);
      const why = refuseReversal(toFacts(row, await readControlClock(tx), cell), target) ?? refuseUnseen(row);
      if (why !== undefined) throw cutoverRefused(dataCenter, 'be reversed', why);
      await refuseWhileBusy(tx, row);
      return appendProposal(context, tx, { kind: 'reversal', dataCenter, target, reason });
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
