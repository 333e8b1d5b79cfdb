// What moved pinned cut-overs: approved postponements and reversals, in the order of their approvals. Reads only.
import { showProposalId } from '../../kernel/proposal-id.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { listCutoverProposals } from '../../stores/control/cutover-proposals.js';

export interface CutoverMove {
  /** `in-c3`, `in-r2`. */
  readonly name: string;
  readonly dataCenter: string;
  readonly fromAt: Date | null;
  readonly decidedAt: Date | null;
}

/** By data center, the oldest first. */
export async function listMoves(tx: ControlTransaction): Promise<(dataCenter: string) => readonly CutoverMove[]> {
  const proposals = [
    ...(await listCutoverProposals(tx, 'postponement')),
    ...(await listCutoverProposals(tx, 'reversal')),
  ];
  const moves = proposals
    .filter(({ state }) => state === 'applied')
    .map((proposal) => ({ ...proposal, name: showProposalId(proposal) }))
    .toSorted((one, other) => (one.decidedAt?.getTime() ?? 0) - (other.decidedAt?.getTime() ?? 0));
  return (id) => moves.filter(({ dataCenter }) => dataCenter === id);
}
