// Who withdrew a proposal, when and why, behind the line that shows it.
import { showName } from '../../kernel/printable.js';
import { showInstant } from '../terminal/numbers.js';

interface Withdrawal {
  readonly state: string;
  readonly decidedAt: Date | null;
  readonly withdrawnBy: string | null;
  readonly withdrawnReason: string | null;
}

/** `; withdrawn by bob, 2026-11-30 11:43 UTC: no longer needed`; empty: it was not, or by an earlier version. */
export function showWithdrawal({ state, decidedAt, withdrawnBy, withdrawnReason }: Withdrawal): string {
  if (state !== 'withdrawn' || withdrawnBy === null) return '';
  const at = decidedAt === null ? '' : `, ${showInstant(decidedAt)}`;
  return `; withdrawn by ${showName(withdrawnBy)}${at}${withdrawnReason === null ? '' : `: ${withdrawnReason}`}`;
}
