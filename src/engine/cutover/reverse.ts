// Takes a cut-over back when a second person approves. The cell remembers by whom: after a crash between its gate and control
// the same approval is given again, and is finished.
import { type CutoverRefusal, rejectReversal } from '../../domain/cutover/cutover.js';
import type { ProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  type CellReversal,
  readReversalRejection,
  reverseCutover,
  wasReversed,
} from '../../stores/cell/cutover/reversals.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { listMaintenance } from '../../stores/control/maintenance.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import {
  type ApprovalContext,
  type ApprovedProposal,
  approveCutoverProposal,
  type GateChange,
} from './approve-proposal.js';
import { cutoverRefused, readCellCutover, toFacts } from './cutover-facts.js';
import { withGateLock, withGateLockRetrying } from './gate.js';
import { type CutoverProposal, makeCutoverProposal, type ProposalContext, type ProposalSpec } from './proposals.js';

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
    await rejectWhileBusy(tx, row);
    await reverseGate(context, approval, await readControlClock(tx));
    return clearLatch(row, proposal.toAt);
  });
}

const clearLatch = ({ gateEffectiveAt, gateLatchedAt }: DataCenterRow, gateConfiguredAt: Date): GateChange => ({
  known: { gateConfiguredAt, gateEffectiveAt: null, gateLatchedAt: null, gateSweptAt: null },
  details: { effective_at: gateEffectiveAt, latched_at: gateLatchedAt },
});

async function reverseGate(
  context: ApprovalContext,
  { row, proposal, person }: ApprovedProposal,
  controlNow: Date,
): Promise<void> {
  const { proposalId: reversalId, dataCenter, toAt, toLocal, author } = proposal;
  // an approval that was cut off: the cell has done it, and control is to follow
  if (await context.cells.get(dataCenter).inTransaction('fencer', (tx) => wasReversed(tx, reversalId))) return;
  const cell = await readCellCutover(context, dataCenter);
  const refusal = rejectReversal(toFacts(row, controlNow, cell), { at: toAt, local: toLocal });
  if (refusal !== undefined) throw cutoverRefused(dataCenter, 'be reversed', { ...refusal, next: WITHDRAW });
  const reversal = { reversalId, toAt, toLocal, author, approver: person.name };
  await withGateLockRetrying(context.clock, dataCenter, () => attemptReversal(context, dataCenter, reversal));
}

async function attemptReversal(context: ApprovalContext, dataCenter: string, reversal: CellReversal) {
  try {
    return await withGateLock(context, dataCenter, (tx) => reverseCutover(tx, reversal));
  } catch (error) {
    const refusal = readReversalRejection(classifyFailure(error).sqlstate);
    if (refusal === undefined) throw error;
    if (refusal === 'not_latched')
      throw cutoverRefused(dataCenter, 'be reversed', { why: 'it is not latched any more', next: WITHDRAW });
    throw new RolloutError('cell_busy', {
      message: `The cut-over of data center "${dataCenter}" cannot be reversed now: its fence is open; nothing was changed.`,
    });
  }
}

// Proposes to take back a cut-over that has happened. Nothing changes until a second person approves.

/** Throws invalid_instant, cutover_refused, reversal_open; cell_busy while a run is under way there. */
export function proposeReversal(context: ProposalContext, spec: ProposalSpec): Promise<CutoverProposal> {
  return makeCutoverProposal(context, spec, {
    kind: 'reversal',
    refuse: async (tx, { row, facts, target }) => {
      const refusal = rejectReversal(facts, target) ?? rejectUnseen(row);
      if (refusal !== undefined) throw cutoverRefused(spec.dataCenter, 'be reversed', refusal);
      await rejectWhileBusy(tx, row);
    },
  });
}

/** While orgs are being written, they are written by the line that holds. Throws cell_busy. Under the row's lock. */
export async function rejectWhileBusy(tx: ControlTransaction, { id, stage }: DataCenterRow): Promise<void> {
  const { open } = (await listMaintenance(tx))(id);
  if (open === null && stage === 'done') return;
  const busy = open === null ? `it is in stage ${stage}` : `a ${open.kind} run is open`;
  throw new RolloutError('cell_busy', {
    message: `The cut-over of data center "${id}" cannot be reversed now: ${busy}; nothing was changed.`,
    next: 'Try again when it is over: credit-rollout status',
  });
}

const rejectUnseen = ({ gateLatchedAt }: DataCenterRow): CutoverRefusal | undefined =>
  gateLatchedAt === null
    ? {
        why: 'control does not know of its latch yet; a scheduler reads it within moments',
        next: 'Run the command again.',
      }
    : undefined;
