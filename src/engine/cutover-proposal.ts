// What a proposal to move a cut-over and one to take it back have in common: at most one of a kind is open, and every step of
// it is audited. Whether the cut-over may move is the business of its verb.
import { parseLocalInstant } from '../domain/calendar/parse-instant.js';
import type { CutoverTarget } from '../domain/cutover/cutover.js';
import { showProposalId } from '../domain/proposal/proposal-id.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { appendAudit } from '../stores/control/audit.js';
import type { ControlTransaction } from '../stores/control/control-database.js';
import {
  type CutoverProposal,
  type CutoverProposalKind,
  findOpenCutoverProposal,
  insertCutoverProposal,
} from '../stores/control/cutover-proposals.js';
import type { DataCenterRow } from '../stores/control/data-centers.js';
import { identifyPerson } from '../stores/control/person.js';
import type { EngineContext } from './context.js';
import { lockKnownDataCenter } from './get-data-center.js';

export type { CutoverProposal } from '../stores/control/cutover-proposals.js';

/** What a person proposes. */
export interface ProposalSpec {
  readonly dataCenter: string;
  /** A local date or time in the data center's zone. */
  readonly to: string;
  readonly reason: string;
}

/** Throws invalid_instant; in gaps and overlaps with both candidates. */
export function parseTarget(to: string, zone: string): CutoverTarget {
  const { instant, local } = parseLocalInstant(to, zone);
  return { at: instant, local: `${local} ${zone}` };
}

/** For a proposal that will be stored in this transaction. Throws postponement_open, reversal_open. */
export async function lockUnproposed(
  tx: ControlTransaction,
  kind: CutoverProposalKind,
  dataCenter: string,
): Promise<DataCenterRow> {
  const row = await lockKnownDataCenter(tx, dataCenter);
  const open = await findOpenCutoverProposal(tx, kind, dataCenter);
  if (open !== undefined) throw alreadyOpen(open);
  return row;
}

const VERBS = { postponement: 'postpone', reversal: 'reverse' } as const;

function alreadyOpen(open: CutoverProposal): RolloutError {
  const { kind, dataCenter, toLocal } = open;
  const name = showProposalId(open);
  return new RolloutError(`${kind}_open`, {
    message: `Data center "${dataCenter}" has the ${kind} ${name} to ${toLocal}, which waits for its approval.`,
    next: `Let a second person run: credit-rollout approve ${name}; or take it back: credit-rollout cutover ${VERBS[kind]} --dc ${dataCenter} --withdraw --reason TEXT`,
  });
}

/** Stores it with its author and its audit row. */
export async function appendProposal(
  context: Pick<EngineContext, 'actor'>,
  tx: ControlTransaction,
  { target, ...given }: Pick<CutoverProposal, 'kind' | 'dataCenter' | 'reason'> & { readonly target: CutoverTarget },
): Promise<CutoverProposal> {
  await identifyPerson(tx, context.actor);
  const proposed = await insertCutoverProposal(tx, { ...given, toAt: target.at, toLocal: target.local });
  await auditProposal(context, tx, proposed, given.reason);
  return proposed;
}

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
