// Reverses a cut-over that has happened: one person proposes another instant, a second person approves it. The cell
// records who approved: after a crash between its gate and control the same approval is repeated, and completes.
import { type CutoverRejection, rejectReversal } from '../../domain/cutover/cutover.js';
import { advise, command } from '../../kernel/advice.js';
import type { ProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { readReversalRejection, reverseCutover, wasReversed } from '../../stores/cell/cutover/reversals.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import type { LastSeenGate } from '../../stores/control/data-centers.js';
import { listMaintenance } from '../../stores/control/maintenance.js';
import { sealReversal } from '../../stores/control/seals.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { Seal } from '../../stores/seal.js';
import {
  type ApprovalContext,
  type ApprovedProposal,
  approveCutoverProposal,
  type GateChange,
} from './approve-proposal.js';
import { type CutoverRow, cutoverRefused, readCellCutover, toCutoverFacts } from './cutover-facts.js';
import { retryForApproval, withGateLock } from './gate.js';
import { type CutoverProposal, makeCutoverProposal, type ProposalContext, type ProposalSpec } from './proposals.js';

/**
 * Changes nothing but the proposal. Throws invalid_instant, cutover_refused, reversal_open; cell_busy while a run is
 * under way in the data center.
 */
export function proposeReversal(context: ProposalContext, spec: ProposalSpec): Promise<CutoverProposal> {
  return makeCutoverProposal(context, spec, {
    kind: 'reversal',
    check: async (tx, { row, facts, target }) => {
      const rejection = rejectReversal(facts, target) ?? rejectUnseenLatch(row);
      if (rejection !== undefined) throw cutoverRefused(spec.dataCenter, 'be reversed', rejection);
      await rejectDuringRun(tx, row);
    },
  });
}

const rejectUnseenLatch = ({ gateLatchedAt }: LastSeenGate): CutoverRejection | undefined =>
  gateLatchedAt === null
    ? {
        why: 'control does not know of its latch yet; a scheduler reads it within moments',
        next: 'Run the command again.',
      }
    : undefined;

/** While a run writes orgs, it decides by the cut-over that is latched now. Throws cell_busy. Under the row's lock. */
async function rejectDuringRun(tx: ControlTransaction, { id, stage }: Pick<CutoverRow, 'id' | 'stage'>): Promise<void> {
  const { open } = (await listMaintenance(tx))(id);
  if (open === null && stage === 'done') return;
  const busy = open === null ? `it is in stage ${stage}` : `a ${open.kind} run is open`;
  throw new RolloutError('cell_busy', {
    message: `The cut-over of data center "${id}" cannot be reversed now: ${busy}; nothing was changed.`,
    next: advise`Try again when it has ended: ${command('status')}`,
  });
}

/** For a proposal that can no longer be applied. */
const WITHDRAW = advise`Withdraw it: ${command('cutover reverse --dc ID --withdraw --reason TEXT')}`;

/**
 * Throws reversal_unknown, reversal_decided, same_person, cutover_refused; cell_busy while a run or a sign-up is under
 * way.
 */
export function approveReversal(
  context: ApprovalContext,
  id: ProposalId<'reversal'>,
  reason: string | null,
): Promise<CutoverProposal> {
  return approveCutoverProposal(context, id, reason, async (tx, approval) => {
    const { row, proposal } = approval;
    await rejectDuringRun(tx, row);
    const change = clearLatch(row, proposal.toAt);
    const isLatched = await checkReversal(context, approval, await readControlClock(tx));
    return isLatched ? { ...change, changeCell: (after) => reverseGate(context, after, proposal) } : change;
  });
}

const clearLatch = ({ gateEffectiveAt, gateLatchedAt }: LastSeenGate, gateConfiguredAt: Date): GateChange => ({
  gate: { gateConfiguredAt, gateEffectiveAt: null, gateLatchedAt: null, gateSweptAt: null },
  details: { effective_at: gateEffectiveAt, latched_at: gateLatchedAt },
});

/** False: an earlier approval was interrupted, the cell has reversed it, and only control is to follow. */
async function checkReversal(
  context: ApprovalContext,
  { row, proposal }: ApprovedProposal,
  controlNow: Date,
): Promise<boolean> {
  const { proposalId: reversalId, dataCenter, toAt, toLocal } = proposal;
  if (await context.cells.get(dataCenter).inTransaction('state', (tx) => wasReversed(tx, reversalId))) return false;
  const cell = await readCellCutover(context, dataCenter);
  const rejection = rejectReversal(toCutoverFacts(row, controlNow, cell), { at: toAt, local: toLocal });
  if (rejection !== undefined) throw cutoverRefused(dataCenter, 'be reversed', { ...rejection, next: WITHDRAW });
  return true;
}

async function reverseGate(
  context: ApprovalContext,
  tx: ControlTransaction,
  { dataCenter, proposalId }: Pick<CutoverProposal, 'dataCenter' | 'proposalId'>,
): Promise<void> {
  const seal = await sealReversal(tx, proposalId);
  if (seal === undefined) throw new Error('an approved reversal can be sealed');
  await retryForApproval(context.clock, dataCenter, () => attemptReversal(context, dataCenter, seal));
}

async function attemptReversal(context: ApprovalContext, dataCenter: string, seal: Seal) {
  try {
    return await withGateLock(context, dataCenter, (tx) => reverseCutover(tx, seal));
  } catch (error) {
    const rejection = readReversalRejection(classifyFailure(error).sqlstate);
    if (rejection === undefined) throw error;
    if (rejection === 'not_latched')
      throw cutoverRefused(dataCenter, 'be reversed', { why: 'it is no longer latched', next: WITHDRAW });
    throw new RolloutError('cell_busy', {
      message:
        `The cut-over of data center "${dataCenter}" cannot be reversed now: its fence is open; nothing was ` +
        'changed.',
    });
  }
}
