// Proposes another instant for a cut-over. Nothing moves until a second person approves.
import { refuseMove } from '../domain/cutover/cutover.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { type ControlTransaction, readControlClock } from '../stores/control/control-database.js';
import { readRollout } from '../stores/control/rollout.js';
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

/** Throws invalid_instant, cutover_refused, postponement_open. */
export async function proposePostponement(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor'>,
  { dataCenter, to, reason }: ProposalSpec,
): Promise<CutoverProposal> {
  try {
    const { zone } = await context.control.inTransaction(async (tx) => {
      const row = await getDataCenter(tx, dataCenter);
      await refuseUnpinned(tx, dataCenter);
      return row;
    });
    const target = parseTarget(to, zone);
    const cell = await readCellCutover(context, dataCenter);
    return await context.control.inTransaction(async (tx) => {
      const row = await lockUnproposed(tx, 'postponement', dataCenter);
      const why = refuseMove(toFacts(row, await readControlClock(tx), cell), target);
      if (why !== undefined) throw cutoverRefused(dataCenter, 'move', why);
      return appendProposal(context, tx, { kind: 'postponement', dataCenter, target, reason });
    });
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
}

/** Before the first apply an instant is only what the configuration says. */
async function refuseUnpinned(tx: ControlTransaction, dataCenter: string): Promise<void> {
  if ((await readRollout(tx)).pinnedAt !== null) return;
  throw new RolloutError('cutover_refused', {
    message: `The cut-over of data center "${dataCenter}" cannot move: no apply has pinned its instant yet.`,
    next: 'Change signups.cutover in the configuration.',
  });
}
