// What a proposal to move a cut-over and one to take it back have in common: every step of it is audited, and by which words.
import { showProposalId } from '../../kernel/proposal-id.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import type { CutoverProposal, CutoverProposalKind } from '../../stores/control/cutover-proposals.js';
import type { EngineContext } from '../context.js';

export type { CutoverProposal } from '../../stores/control/cutover-proposals.js';

/** What the audit calls each state. */
const ACTIONS = {
  postponement: { proposed: 'postpone', withdrawn: 'postpone_withdrawn', applied: 'postponed' },
  reversal: { proposed: 'reverse', withdrawn: 'reverse_withdrawn', applied: 'reversed' },
} as const satisfies Record<CutoverProposalKind, Record<CutoverProposal['state'], string>>;

/** That it has come into this state, why, and `more`. */
export function auditProposal(
  { actor }: Pick<EngineContext, 'actor'>,
  tx: ControlTransaction,
  proposal: CutoverProposal,
  reason: string | null,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { kind, state, dataCenter, fromAt, fromLocal, toAt, toLocal } = proposal;
  const moved = { from_at: fromAt, from_local: fromLocal, to_at: toAt, to_local: toLocal };
  const details = { [kind]: showProposalId(proposal), ...moved, ...more };
  return appendAudit(tx, { actor, action: ACTIONS[kind][state], dataCenter, reason, details });
}
