// A second person's approval of a postponement or a reversal: the gate of the cell first, since it is what sign-ups ask, then
// control, which until then holds the data center's row. After a crash in between the same approval can be given again.
import { showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import {
  type CutoverProposal,
  type CutoverProposalId,
  decideCutoverProposal,
  findCutoverProposal,
} from '../../stores/control/cutover-proposals.js';
import { type DataCenterChange, type DataCenterRow, transitionDataCenter } from '../../stores/control/data-centers.js';
import { identifyPerson, type Person } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';
import { lockKnownDataCenter } from '../data-center.js';
import { requireSecondPerson } from '../two-person-rule.js';
import { auditProposal } from './proposals.js';

export type ApprovalContext = Pick<EngineContext, 'control' | 'cells' | 'actor' | 'wakeUps' | 'clock'>;

/** A proposal that is being approved, under the lock of its data center's row. */
export interface ApprovedProposal {
  readonly row: DataCenterRow;
  readonly proposal: CutoverProposal;
  /** Who approves it. */
  readonly person: Person;
}

/** What control is to know besides the instant, and what is audited besides it. */
export interface GateChange {
  readonly known?: DataCenterChange;
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * `withGateLock` throws to refuse. Throws postponement_unknown, postponement_decided, reversal_unknown, reversal_decided,
 * same_person.
 */
export async function approveCutoverProposal(
  context: ApprovalContext,
  id: CutoverProposalId,
  reason: string | null,
  withGateLock: (tx: ControlTransaction, approval: ApprovedProposal) => Promise<GateChange>,
): Promise<CutoverProposal> {
  const applied = await context.control.inTransaction(async (tx) => {
    const approval = await lockProposed(context, tx, id);
    const change = await withGateLock(tx, approval);
    return applyProposal(context, tx, approval, { ...change, reason });
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
  if (found.state !== 'proposed') throw decided(found);
  requireSecondPerson(`The ${id.kind} ${showProposalId(id)}`, found.author, person);
  return { row, proposal: found, person };
}

async function applyProposal(
  context: ApprovalContext,
  tx: ControlTransaction,
  { row, proposal }: ApprovedProposal,
  { known, details, reason }: GateChange & { readonly reason: string | null },
): Promise<CutoverProposal> {
  // before the instant: control's database lets it move by an applied proposal only
  const applied = await decideCutoverProposal(tx, proposal, 'applied');
  if (applied === undefined) throw decided(proposal);
  const { toAt: cutoverAt, toLocal: cutoverLocal, decidedAt: cutoverSetAt, author } = applied;
  if (!(await transitionDataCenter(tx, row, { ...known, cutoverAt, cutoverLocal, cutoverSetAt })))
    throw new RolloutError('conflict', { message: `Data center "${row.id}" was changed by somebody else.` });
  await auditProposal(context, tx, applied, reason, { author, ...details });
  return applied;
}

function decided(proposal: CutoverProposal): RolloutError {
  const { kind, state, approver } = proposal;
  return new RolloutError(`${kind}_decided`, {
    message: `The ${kind} ${showProposalId(proposal)} was ${state} already${approver === null ? '' : `, approved by "${approver}"`}.`,
  });
}
