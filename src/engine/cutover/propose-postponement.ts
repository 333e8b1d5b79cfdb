// Proposes another instant for a cut-over. Nothing moves until a second person approves.
import { refuseMove } from '../../domain/cutover/cutover.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { readRollout } from '../../stores/control/rollout.js';
import { cutoverRefused } from './cutover-facts.js';
import type { CutoverProposal } from './cutover-proposal.js';
import { makeCutoverProposal, type ProposalContext, type ProposalSpec } from './proposals.js';

/** Throws invalid_instant, cutover_refused, postponement_open. */
export function proposePostponement(context: ProposalContext, spec: ProposalSpec): Promise<CutoverProposal> {
  const { dataCenter } = spec;
  return makeCutoverProposal(context, spec, {
    kind: 'postponement',
    admit: (tx) => refuseUnpinned(tx, dataCenter),
    refuse: async (_tx, { facts, target }) => {
      const refusal = refuseMove(facts, target);
      if (refusal !== undefined) throw cutoverRefused(dataCenter, 'move', refusal);
    },
  });
}

/** Before the first apply an instant is only what the configuration says. */
async function refuseUnpinned(tx: ControlTransaction, dataCenter: string): Promise<void> {
  if ((await readRollout(tx)).pinnedAt !== null) return;
  throw new RolloutError('cutover_refused', {
    message: `The cut-over of data center "${dataCenter}" cannot move: no apply has pinned its instant yet.`,
    next: 'Change signups.cutover in the configuration.',
  });
}
