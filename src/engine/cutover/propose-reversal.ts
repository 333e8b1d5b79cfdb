// Proposes to take back a cut-over that has happened. Nothing changes until a second person approves.
import { type CutoverRefusal, refuseReversal } from '../../domain/cutover/cutover.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { listMaintenance } from '../../stores/control/maintenance.js';
import { cutoverRefused } from './cutover-facts.js';
import type { CutoverProposal } from './cutover-proposal.js';
import { makeCutoverProposal, type ProposalContext, type ProposalSpec } from './proposals.js';

/** Throws invalid_instant, cutover_refused, reversal_open; cell_busy while a run is under way there. */
export function proposeReversal(context: ProposalContext, spec: ProposalSpec): Promise<CutoverProposal> {
  return makeCutoverProposal(context, spec, {
    kind: 'reversal',
    refuse: async (tx, { row, facts, target }) => {
      const refusal = refuseReversal(facts, target) ?? refuseUnseen(row);
      if (refusal !== undefined) throw cutoverRefused(spec.dataCenter, 'be reversed', refusal);
      await refuseWhileBusy(tx, row);
    },
  });
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

const refuseUnseen = ({ gateLatchedAt }: DataCenterRow): CutoverRefusal | undefined =>
  gateLatchedAt === null
    ? {
        why: 'control does not know of its latch yet; a scheduler reads it within moments',
        next: 'Run the command again.',
      }
    : undefined;
