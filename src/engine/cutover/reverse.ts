// Takes a cut-over back when a second person approves. The cell remembers by whom: after a crash between its gate and control
// the same approval is given again, and is finished.
import { refuseReversal } from '../../domain/cutover/cutover.js';
import type { ProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { type CellReversal, readRefusal, reverseCutover, wasReversed } from '../../stores/cell/cutover/reversals.js';
import { readControlClock } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { type Approval, type ApprovalContext, approveCutoverProposal, type GateChange } from './approve-proposal.js';
import { cutoverRefused, readCellCutover, toFacts } from './cutover-facts.js';
import type { CutoverProposal } from './cutover-proposal.js';
import { changeGate } from './gate.js';
import { changeGatePatiently } from './gate-patience.js';
import { refuseWhileBusy } from './propose-reversal.js';

/** What was proposed can no longer be done. */
const WITHDRAW = 'Take it back: credit-rollout cutover reverse --dc ID --withdraw --reason TEXT';

/** Throws reversal_unknown, reversal_decided, same_person, cutover_refused; cell_busy while a run or a sign-up is under way. */
export function approveReversal(
  context: ApprovalContext,
  id: ProposalId<'reversal'>,
  reason: string | null,
): Promise<CutoverProposal> {
  return approveCutoverProposal(context, id, reason, async (tx, approval) => {
    const { row, proposal } = approval;
    await refuseWhileBusy(tx, row);
    await reverseGate(context, approval, await readControlClock(tx));
    return forgetLatch(row, proposal.toAt);
  });
}

const forgetLatch = ({ gateEffectiveAt, gateLatchedAt }: DataCenterRow, gateConfiguredAt: Date): GateChange => ({
  known: { gateConfiguredAt, gateEffectiveAt: null, gateLatchedAt: null, gateSweptAt: null },
  details: { effective_at: gateEffectiveAt, latched_at: gateLatchedAt },
});

async function reverseGate(
  context: ApprovalContext,
  { row, proposal, person }: Approval,
  controlNow: Date,
): Promise<void> {
  const { proposalId: reversalId, dataCenter, toAt, toLocal, author } = proposal;
  // an approval that was cut off: the cell has done it, and control is to follow
  if (await context.cells.get(dataCenter).inTransaction('fencer', (tx) => wasReversed(tx, reversalId))) return;
  const cell = await readCellCutover(context, dataCenter);
  const refusal = refuseReversal(toFacts(row, controlNow, cell), { at: toAt, local: toLocal });
  if (refusal !== undefined) throw cutoverRefused(dataCenter, 'be reversed', { ...refusal, next: WITHDRAW });
  const reversal = { reversalId, toAt, toLocal, author, approver: person.name };
  await changeGatePatiently(context.clock, dataCenter, () => attemptReversal(context, dataCenter, reversal));
}

async function attemptReversal(context: ApprovalContext, dataCenter: string, reversal: CellReversal) {
  try {
    return await changeGate(context, dataCenter, (tx) => reverseCutover(tx, reversal));
  } catch (error) {
    const refusal = readRefusal(classifyFailure(error).sqlstate);
    if (refusal === undefined) throw error;
    if (refusal === 'not_latched')
      throw cutoverRefused(dataCenter, 'be reversed', { why: 'it is not latched any more', next: WITHDRAW });
    throw new RolloutError('cell_busy', {
      message: `The cut-over of data center "${dataCenter}" cannot be reversed now: its fence is open; nothing was changed.`,
    });
  }
}
