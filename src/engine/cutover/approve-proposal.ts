// A second person approves a postponement or a reversal. Control writes it, and seals it for the cell; the gate of the
// cell changes and commits first, since sign-ups ask it, and then control commits. After a crash in between the same
// approval can be repeated.
import { showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import {
  type CutoverProposal,
  type CutoverProposalId,
  findCutoverProposal,
  saveProposalDecision,
} from '../../stores/control/cutover-proposals.js';
import { type LastSeenGate, transitionDataCenter } from '../../stores/control/data-centers.js';
import { identifyPerson, type Person } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';
import { lockKnownDataCenter } from '../data-center.js';
import { requireSecondPerson } from '../two-person-rule.js';
import type { CutoverRow } from './cutover-facts.js';
import { auditProposal } from './proposals.js';

export type ApprovalContext = Pick<EngineContext, 'control' | 'cells' | 'actor' | 'wakeUps' | 'clock'>;

/** A proposal that is being approved; the row of its data center is locked. */
export interface ApprovedProposal {
  readonly row: CutoverRow;
  readonly proposal: CutoverProposal;
  /** Who approves it. */
  readonly person: Person;
}

/** What an approval changes besides the instant. */
export interface GateChange {
  /** How the gate of the cell is afterwards, where control must record it. */
  readonly gate?: LastSeenGate;
  /** More details for the audit. */
  readonly details?: Readonly<Record<string, unknown>>;
  /**
   * Changes the gate of the cell, after control has the approval and before it commits: only then is there a seal of
   * it. Left out: nothing is to change there.
   */
  readonly changeCell?: (tx: ControlTransaction) => Promise<void>;
}

/**
 * `prepare` throws where the approval is to be rejected. Throws postponement_unknown, postponement_decided,
 * reversal_unknown, reversal_decided, same_person.
 */
export async function approveCutoverProposal(
  context: ApprovalContext,
  id: CutoverProposalId,
  reason: string | null,
  prepare: (tx: ControlTransaction, approval: ApprovedProposal) => Promise<GateChange>,
): Promise<CutoverProposal> {
  const applied = await context.control.inTransaction(async (tx) => {
    const approval = await lockProposed(context, tx, id);
    const change = await prepare(tx, approval);
    const decided = await applyProposal(tx, approval, { ...change, reason });
    await change.changeCell?.(tx);
    return decided;
  });
  await context.wakeUps.wakeSchedulers();
  return applied;
}

async function lockProposed(
  { actor }: ApprovalContext,
  tx: ControlTransaction,
  id: CutoverProposalId,
): Promise<ApprovedProposal> {
  const person = await identifyPerson(tx, actor);
  const row = await lockKnownDataCenter(tx, id.dataCenter);
  const found = await findCutoverProposal(tx, id);
  if (found === undefined || found.dataCenter !== id.dataCenter)
    throw new RolloutError(`${id.kind}_unknown`, {
      message: `Data center "${id.dataCenter}" has no ${id.kind} ${showProposalId(id)}.`,
    });
  if (found.state !== 'proposed') throw decidedBefore(found);
  requireSecondPerson(`The ${id.kind} ${showProposalId(id)}`, found.author, person);
  return { row, proposal: found, person };
}

async function applyProposal(
  tx: ControlTransaction,
  { row, proposal }: ApprovedProposal,
  { gate, details, reason }: GateChange & { readonly reason: string | null },
): Promise<CutoverProposal> {
  // before the instant: control's database lets it change only by an applied proposal
  const applied = await saveProposalDecision(tx, proposal, 'applied');
  if (applied === undefined) throw decidedBefore(proposal);
  const { toAt: cutoverAt, toLocal: cutoverLocal, author } = applied;
  if (!(await transitionDataCenter(tx, row, { ...gate, cutoverAt, cutoverLocal })))
    throw new RolloutError('conflict', { message: `Data center "${row.id}" was changed by somebody else.` });
  await auditProposal(tx, applied, reason, { author, ...details });
  return applied;
}

function decidedBefore(proposal: CutoverProposal): RolloutError {
  const { kind, state, approver } = proposal;
  const by = approver === null ? '' : `, approved by "${approver}"`;
  return new RolloutError(`${kind}_decided`, {
    message: `The ${kind} ${showProposalId(proposal)} was ${state} already${by}.`,
  });
}
