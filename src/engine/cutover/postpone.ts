// Postpones a cut-over: one person proposes another instant, a second person approves it. A crash between the gate of
// the cell and control leaves the old instant in control; the approval can then be repeated.
import { rejectMove } from '../../domain/cutover/cutover.js';
import { advise, command } from '../../kernel/advice.js';
import type { ProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import { readRollout } from '../../stores/control/rollout.js';
import { sealCutover } from '../../stores/control/seals.js';
import { type ApprovalContext, approveCutoverProposal } from './approve-proposal.js';
import { type CutoverRow, cutoverRefused, readCellCutover, toCutoverFacts } from './cutover-facts.js';
import { armGate, retryForApproval } from './gate.js';
import { type CutoverProposal, makeCutoverProposal, type ProposalContext, type ProposalSpec } from './proposals.js';

/** Changes nothing but the proposal. Throws invalid_instant, cutover_refused, postponement_open. */
export function proposePostponement(context: ProposalContext, spec: ProposalSpec): Promise<CutoverProposal> {
  const { dataCenter } = spec;
  return makeCutoverProposal(context, spec, {
    kind: 'postponement',
    checkBefore: (tx) => rejectUnpinned(tx, dataCenter),
    check: async (_tx, { facts, target }) => {
      const rejection = rejectMove(facts, target);
      if (rejection !== undefined) throw cutoverRefused(dataCenter, 'move', rejection);
    },
  });
}

/** Before the first apply the instant is only in the configuration. */
async function rejectUnpinned(tx: ControlTransaction, dataCenter: string): Promise<void> {
  if ((await readRollout(tx)).pinnedAt !== null) return;
  throw new RolloutError('cutover_refused', {
    message: `The cut-over of data center "${dataCenter}" cannot move: no apply has pinned its instant yet.`,
    next: advise`Propose it in the policy: ${command('settings propose signups.cutover WHEN --reason TEXT --execute')}`,
  });
}

/** For a proposal that can no longer be applied. */
const WITHDRAW = advise`Withdraw it: ${command('cutover postpone --dc ID --withdraw --reason TEXT')}`;

/**
 * Throws postponement_unknown, postponement_decided, same_person, cutover_refused; cell_busy while a sign-up holds the
 * gate.
 */
export function approvePostponement(
  context: ApprovalContext,
  id: ProposalId<'postponement'>,
  reason: string | null,
): Promise<CutoverProposal> {
  return approveCutoverProposal(context, id, reason, async (tx, { row, proposal }) => {
    const isArmed = await checkMove(context, row, proposal, await readControlClock(tx));
    return isArmed ? { changeCell: (after) => rearm(context, after, row.id) } : {};
  });
}

/** Whether the gate is armed. */
async function checkMove(
  context: ApprovalContext,
  row: CutoverRow,
  { toAt, toLocal }: CutoverProposal,
  controlNow: Date,
): Promise<boolean> {
  const cell = await readCellCutover(context, row.id);
  const rejection = rejectMove(toCutoverFacts(row, controlNow, cell), { at: toAt, local: toLocal });
  if (rejection !== undefined) throw cutoverRefused(row.id, 'move', { ...rejection, next: WITHDRAW });
  return cell.gate.effectiveAt !== null;
}

/** An armed gate is armed anew at once, without a scheduler; any other is armed for the new instant later. */
async function rearm(context: ApprovalContext, tx: ControlTransaction, dataCenter: string): Promise<void> {
  const seal = await sealCutover(tx, dataCenter);
  if (seal === undefined) throw new Error('an approved postponement has an instant');
  const { kind } = await retryForApproval(context.clock, dataCenter, () => armGate(context, dataCenter, seal));
  if (kind === 'too_late')
    throw cutoverRefused(dataCenter, 'move', {
      why: 'its instant has just come, and sign-ups have started on credits since',
      next: WITHDRAW,
    });
}
