// What moved pinned cut-overs: approved postponements and reversals, in the order of their approvals. Reads only.
import { showPostponementId } from '../domain/cutover/postponement-id.js';
import { showReversalId } from '../domain/cutover/reversal-id.js';
import type { ControlTransaction } from '../stores/control/control-database.js';
import { listPostponements } from '../stores/control/postponements.js';
import { listReversals } from '../stores/control/reversals.js';

export interface CutoverMove {
  /** `in-c3`, `in-r2`. */
  readonly name: string;
  readonly dataCenter: string;
  readonly fromAt: Date | null;
  readonly decidedAt: Date | null;
}

/** By data center, the oldest first. */
export async function listMoves(tx: ControlTransaction): Promise<(dataCenter: string) => readonly CutoverMove[]> {
  const postponed = (await listPostponements(tx)).map((row) => ({ ...row, name: showPostponementId(row) }));
  const reversed = (await listReversals(tx)).map((row) => ({ ...row, name: showReversalId(row) }));
  const moves = [...postponed, ...reversed]
    .filter(({ state }) => state === 'applied')
    .toSorted((one, other) => (one.decidedAt?.getTime() ?? 0) - (other.decidedAt?.getTime() ?? 0));
  return (id) => moves.filter(({ dataCenter }) => dataCenter === id);
}
