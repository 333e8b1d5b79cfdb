// A reconciliation that accepts falls beyond the limits of a night: one person proposes it, a second person approves
// it, and then a scheduler starts it. Audited at every step; control's database decides who may approve.
import { advise, command } from '../../kernel/advice.js';
import { type ProposalId, showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  type FallsProposal,
  findFallsProposal,
  insertFallsProposal,
  listWaitingFalls,
  saveFallsDecision,
} from '../../stores/control/accepted-falls.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import { identifyPerson } from '../../stores/control/person.js';
import { findReconcileRequest } from '../../stores/control/reconcile-requests.js';
import type { EngineContext } from '../context.js';
import { requireSecondPerson } from '../two-person-rule.js';
import { lockDoneDataCenter, reconcileAsked } from './request-reconciliation.js';

export type { FallsProposal } from '../../stores/control/accepted-falls.js';

type FallsContext = Pick<EngineContext, 'control' | 'wakeUps' | 'actor'>;

/** How long a proposal can be approved; as long counts its approval. The database enforces it. */
const VALID_MS = 72 * 3_600_000;

export const showFallsId = ({ dataCenter, proposalId }: Pick<FallsProposal, 'dataCenter' | 'proposalId'>): string =>
  showProposalId({ kind: 'falls', dataCenter, proposalId });

/**
 * Where one login is for everybody, its author approves it at once, since nobody else could. Throws wrong_stage,
 * falls_open, reconcile_asked.
 */
export async function proposeFalls(
  context: FallsContext,
  { dataCenter, reason }: { readonly dataCenter: string; readonly reason: string },
): Promise<FallsProposal> {
  const made = await context.control.inTransaction(async (tx) => {
    await lockDoneDataCenter(tx, dataCenter);
    const person = await identifyPerson(tx, context.actor);
    await rejectOpen(tx, dataCenter);
    const proposed = await insertFallsProposal(tx, { dataCenter, reason });
    await auditFalls(tx, proposed, reason);
    return person.knownBy === 'machine' ? await decide(tx, proposed, 'approved', reason) : proposed;
  });
  await context.wakeUps.wakeSchedulers();
  return made;
}

async function rejectOpen(tx: ControlTransaction, dataCenter: string): Promise<void> {
  const open = (await listWaitingFalls(tx)).find((one) => one.dataCenter === dataCenter && one.state === 'proposed');
  if (open === undefined) return;
  throw new RolloutError('falls_open', {
    message: `The falls of data center "${dataCenter}" have the proposal ${showFallsId(open)} of "${open.author}", which waits for its approval.`,
    next: advise`Let a second person run: ${command`approve ${showFallsId(open)}`}; or withdraw it: ${command`reconcile --dc ${dataCenter} --withdraw --reason TEXT`}`,
  });
}

/** Throws falls_unknown, falls_decided, falls_expired, same_person, reconcile_asked. */
export async function approveFalls(
  context: FallsContext,
  id: ProposalId<'falls'>,
  reason: string | null,
): Promise<FallsProposal> {
  const approved = await context.control.inTransaction(async (tx) => {
    const person = await identifyPerson(tx, context.actor);
    await lockDoneDataCenter(tx, id.dataCenter);
    const proposal = await findFallsProposal(tx, id);
    if (proposal === undefined)
      throw new RolloutError('falls_unknown', {
        message: `Data center "${id.dataCenter}" has no proposal ${showProposalId(id)} to accept falls.`,
      });
    if (proposal.state !== 'proposed') throw decidedBefore(proposal);
    if (person.knownBy === 'login') requireSecondPerson(`The proposal ${showProposalId(id)}`, proposal.author, person);
    if ((await readControlClock(tx)).getTime() - proposal.proposedAt.getTime() > VALID_MS)
      throw new RolloutError('falls_expired', {
        message: `The proposal ${showProposalId(id)} is older than 72 hours.`,
        next: advise`Withdraw it and propose it again: ${command`reconcile --dc ${id.dataCenter} --withdraw --reason TEXT`}`,
      });
    return decide(tx, proposal, 'approved', reason);
  });
  await context.wakeUps.wakeSchedulers();
  return approved;
}

/** Also an approved one, until a run executes it. Throws falls_unknown when none waits. */
export function withdrawFalls(
  context: Pick<FallsContext, 'control' | 'actor'>,
  { dataCenter, reason }: { readonly dataCenter: string; readonly reason: string },
): Promise<FallsProposal> {
  return context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    const waiting = (await listWaitingFalls(tx)).find((one) => one.dataCenter === dataCenter);
    if (waiting === undefined)
      throw new RolloutError('falls_unknown', {
        message: `Data center "${dataCenter}" has no proposal to accept falls that waits.`,
      });
    return decide(tx, waiting, 'withdrawn', reason);
  });
}

async function decide(
  tx: ControlTransaction,
  proposal: FallsProposal,
  state: 'approved' | 'withdrawn',
  reason: string | null,
): Promise<FallsProposal> {
  const open = await findReconcileRequest(tx, proposal.dataCenter);
  if (state === 'approved' && open !== undefined) throw reconcileAsked(proposal.dataCenter, open.requestedBy);
  const decided = await saveFallsDecision(tx, proposal.proposalId, state);
  if (decided === undefined) throw decidedBefore(proposal);
  await auditFalls(tx, decided, reason);
  return decided;
}

const decidedBefore = ({ approver, state, ...id }: FallsProposal): RolloutError =>
  new RolloutError('falls_decided', {
    message: `The proposal ${showFallsId(id)} was ${state} already${approver === null ? '' : `, approved by "${approver}"`}.`,
  });

const ACTIONS = {
  proposed: 'propose_falls',
  approved: 'accept_falls',
  withdrawn: 'withdraw_falls',
} as const satisfies Record<FallsProposal['state'], string>;

function auditFalls(tx: ControlTransaction, proposal: FallsProposal, reason: string | null): Promise<void> {
  const { dataCenter, state, author, alone } = proposal;
  const details = { falls: showFallsId(proposal), author, ...(alone && { alone }) };
  return appendAudit(tx, { action: ACTIONS[state], dataCenter, reason, details });
}
