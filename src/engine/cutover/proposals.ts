// Proposals to postpone or reverse a cut-over: made, withdrawn, and audited at every step. One row in control, at most
// one of a kind open per data center. Whether a cut-over may change is decided by the use-case that calls.
import type { CutoverFacts, CutoverTarget } from '../../domain/cutover/cutover.js';
import { parseLocalInstant } from '../../domain/time/parse-instant.js';
import { advise, command } from '../../kernel/advice.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import {
  type CutoverProposal,
  type CutoverProposalKind,
  findOpenCutoverProposal,
  insertCutoverProposal,
  saveProposalDecision,
} from '../../stores/control/cutover-proposals.js';
import { identifyPerson } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';
import { getDataCenter, lockKnownDataCenter, rejectChanged, type SeenRevision } from '../data-center.js';
import { type CutoverRow, readCellCutover, toCutoverFacts } from './cutover-facts.js';

export type { CutoverProposal } from '../../stores/control/cutover-proposals.js';

/** What a person proposes. */
export interface ProposalSpec extends SeenRevision {
  readonly dataCenter: string;
  /** A local date or time in the data center's zone. */
  readonly to: string;
  readonly reason: string;
}

export type ProposalContext = Pick<EngineContext, 'control' | 'cells' | 'actor'>;

interface ProposalQuestion {
  /** Locked. */
  readonly row: CutoverRow;
  readonly facts: CutoverFacts;
  readonly target: CutoverTarget;
}

interface ProposalRules {
  readonly kind: CutoverProposalKind;
  /** Throws where no instant at all can be proposed; called before the instant is parsed. */
  readonly checkBefore?: (tx: ControlTransaction) => Promise<void>;
  /** Throws where this instant cannot be proposed. */
  readonly check: (tx: ControlTransaction, question: ProposalQuestion) => Promise<void>;
}

/**
 * Throws invalid_instant (gaps and overlaps with both candidates), postponement_open, reversal_open, revision_changed.
 */
export async function makeCutoverProposal(
  context: ProposalContext,
  { dataCenter, to, reason, ...seen }: ProposalSpec,
  { kind, checkBefore, check }: ProposalRules,
): Promise<CutoverProposal> {
  const { zone } = await context.control.inTransaction(async (tx) => {
    const row = await getDataCenter(tx, dataCenter);
    rejectChanged(row, seen);
    await checkBefore?.(tx);
    return row;
  });
  const { instant, local } = parseLocalInstant(to, zone);
  const target = { at: instant, local: `${local} ${zone}` };
  const cell = await readCellCutover(context, dataCenter);
  return context.control.inTransaction(async (tx) => {
    const row = await lockKnownDataCenter(tx, dataCenter);
    rejectChanged(row, seen);
    await rejectSecond(tx, kind, dataCenter);
    const facts = toCutoverFacts(row, await readControlClock(tx), cell);
    await check(tx, { row, facts, target });
    await identifyPerson(tx, context.actor);
    const proposal = { kind, dataCenter, toAt: target.at, toLocal: target.local, reason };
    const proposed = await insertCutoverProposal(tx, proposal);
    await auditProposal(tx, proposed, reason);
    return proposed;
  });
}

const VERBS = { postponement: 'postpone', reversal: 'reverse' } as const;

async function rejectSecond(tx: ControlTransaction, kind: CutoverProposalKind, dataCenter: string): Promise<void> {
  const open = await findOpenCutoverProposal(tx, kind, dataCenter);
  if (open === undefined) return;
  const name = showProposalId(open);
  const withdraw = command`cutover ${VERBS[kind]} --dc ${dataCenter} --withdraw --reason TEXT`;
  throw new RolloutError(`${kind}_open`, {
    message: `Data center "${dataCenter}" has the ${kind} ${name} to ${open.toLocal}, which waits for its approval.`,
    next: advise`Let a second person run: ${command`approve ${name}`}; or withdraw it: ${withdraw}`,
  });
}

interface CutoverWithdrawal extends SeenRevision {
  readonly kind: CutoverProposalKind;
  readonly dataCenter: string;
  readonly reason: string;
}

/** Ends a proposal that waits. Throws revision_changed; postponement_unknown, reversal_unknown when none does. */
export async function withdrawCutoverProposal(
  context: Pick<EngineContext, 'control' | 'actor'>,
  { kind, dataCenter, reason, ...seen }: CutoverWithdrawal,
): Promise<CutoverProposal> {
  return context.control.inTransaction(async (tx) => {
    rejectChanged(await lockKnownDataCenter(tx, dataCenter), seen);
    await identifyPerson(tx, context.actor);
    const open = await findOpenCutoverProposal(tx, kind, dataCenter);
    const withdrawn = open && (await saveProposalDecision(tx, open, 'withdrawn', reason));
    if (withdrawn === undefined)
      throw new RolloutError(`${kind}_unknown`, {
        message: `Data center "${dataCenter}" has no ${kind} that waits for its approval.`,
      });
    await auditProposal(tx, withdrawn, reason);
    return withdrawn;
  });
}

/** The action that the audit records for each state. */
const ACTIONS = {
  postponement: { proposed: 'postpone', withdrawn: 'postpone_withdrawn', applied: 'postponed' },
  reversal: { proposed: 'reverse', withdrawn: 'reverse_withdrawn', applied: 'reversed' },
} as const satisfies Record<CutoverProposalKind, Record<CutoverProposal['state'], string>>;

/** Records that the proposal has come into its state, with the reason and `more` details. */
export function auditProposal(
  tx: ControlTransaction,
  proposal: CutoverProposal,
  reason: string | null,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { kind, state, dataCenter, fromAt, fromLocal, toAt, toLocal } = proposal;
  const moved = { from_at: fromAt, from_local: fromLocal, to_at: toAt, to_local: toLocal };
  const details = { [kind]: showProposalId(proposal), ...moved, ...more };
  return appendAudit(tx, { action: ACTIONS[kind][state], dataCenter, reason, details });
}
