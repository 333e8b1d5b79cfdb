// Takes back a postponement or a reversal that nobody has approved yet: it moved nothing, and another may be proposed.
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  type CutoverProposal,
  type CutoverProposalKind,
  decideCutoverProposal,
  findOpenCutoverProposal,
} from '../../stores/control/cutover-proposals.js';
import { identifyPerson } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import { auditProposal } from './cutover-proposal.js';

interface CutoverWithdrawal {
  readonly kind: CutoverProposalKind;
  readonly dataCenter: string;
  readonly reason: string;
}

/** Throws postponement_unknown, reversal_unknown when none is open. */
export async function withdrawCutoverProposal(
  context: Pick<EngineContext, 'control' | 'actor'>,
  { kind, dataCenter, reason }: CutoverWithdrawal,
): Promise<CutoverProposal> {
  try {
    return await context.control.inTransaction(async (tx) => {
      await identifyPerson(tx, context.actor);
      const open = await findOpenCutoverProposal(tx, kind, dataCenter);
      const withdrawn = open && (await decideCutoverProposal(tx, open, 'withdrawn'));
      if (withdrawn === undefined)
        throw new RolloutError(`${kind}_unknown`, {
          message: `Data center "${dataCenter}" has no ${kind} that waits for its approval.`,
        });
      await auditProposal(context, tx, withdrawn, reason);
      return withdrawn;
    });
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
}
