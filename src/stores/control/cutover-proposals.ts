// Proposals to postpone a cut-over, and to reverse one that has happened: a table for each kind. The database binds
// each proposal to the login that it authenticated and to the current instant, and lets it be decided only once.
import type { ProposalId } from '../../kernel/proposal-id.js';
import { findRow, selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export type CutoverProposalId = ProposalId<'postponement' | 'reversal'>;
export type CutoverProposalKind = CutoverProposalId['kind'];

export interface CutoverProposal {
  readonly kind: CutoverProposalKind;
  /** The number among its kind. */
  readonly proposalId: bigint;
  readonly dataCenter: string;
  /** The instant that it postpones or reverses; null: there was none. */
  readonly fromAt: Date | null;
  readonly fromLocal: string | null;
  readonly toAt: Date;
  /** What a clock in the zone shows then, with the zone. */
  readonly toLocal: string;
  readonly reason: string;
  readonly author: string;
  readonly proposedAt: Date;
  readonly approver: string | null;
  readonly decidedAt: Date | null;
  readonly state: 'proposed' | 'applied' | 'withdrawn';
  /** Null: it was not, or by an earlier version. */
  readonly withdrawnBy: string | null;
  readonly withdrawnReason: string | null;
}

type Stored = Omit<CutoverProposal, 'kind' | 'proposalId'> & { readonly proposalId: string };

const TABLES = {
  postponement: { table: 'credit_rollout_control.postponements', id: 'postponement_id' },
  reversal: { table: 'credit_rollout_control.reversals', id: 'reversal_id' },
} as const satisfies Record<CutoverProposalKind, unknown>;

const columns = (kind: CutoverProposalKind): string =>
  `${TABLES[kind].id} as proposal_id, data_center, from_at, from_local, to_at, to_local, reason, author, proposed_at,
  approver, decided_at, state, withdrawn_by, withdrawn_reason`;

const select = (kind: CutoverProposalKind): string => `select ${columns(kind)} from ${TABLES[kind].table}`;

const toProposal = (kind: CutoverProposalKind, row: Stored): CutoverProposal => ({
  kind,
  ...row,
  proposalId: BigInt(row.proposalId),
});

export type NewCutoverProposal = Pick<CutoverProposal, 'kind' | 'dataCenter' | 'toAt' | 'toLocal' | 'reason'>;

/** The database fills in author, old instant and time. Call `identifyPerson` first. A second open one raises 23505. */
export async function insertCutoverProposal(
  tx: ControlTransaction,
  { kind, dataCenter, toAt, toLocal, reason }: NewCutoverProposal,
): Promise<CutoverProposal> {
  const row = await selectRow<Stored>(
    tx,
    `insert into ${TABLES[kind].table} (data_center, to_at, to_local, reason)
     values (:data_center, :to_at::timestamptz, :to_local, :reason)
     returning ${columns(kind)}`,
    { data_center: dataCenter, to_at: toAt.toISOString(), to_local: toLocal, reason },
  );
  return toProposal(kind, row);
}

/** By its number alone: it may belong to another data center. */
export async function findCutoverProposal(
  tx: ControlTransaction,
  { kind, proposalId }: Pick<CutoverProposal, 'kind' | 'proposalId'>,
): Promise<CutoverProposal | undefined> {
  const row = await findRow<Stored>(tx, `${select(kind)} where ${TABLES[kind].id} = :proposal_id::bigint`, {
    proposal_id: proposalId,
  });
  return row && toProposal(kind, row);
}

/** The one that waits for approval; a data center has at most one of a kind. */
export async function findOpenCutoverProposal(
  tx: ControlTransaction,
  kind: CutoverProposalKind,
  dataCenter: string,
): Promise<CutoverProposal | undefined> {
  const row = await findRow<Stored>(tx, `${select(kind)} where data_center = :data_center and state = 'proposed'`, {
    data_center: dataCenter,
  });
  return row && toProposal(kind, row);
}

/** Of all data centers, the oldest first. */
export async function listCutoverProposals(
  tx: ControlTransaction,
  kind: CutoverProposalKind,
): Promise<readonly CutoverProposal[]> {
  const rows = await selectRows<Stored>(tx, `${select(kind)} order by ${TABLES[kind].id}`);
  return rows.map((row) => toProposal(kind, row));
}

/**
 * Applies it, or withdraws it with a reason; the database records who does, and when. Undefined when it was decided
 * already.
 */
export async function saveProposalDecision(
  tx: ControlTransaction,
  { kind, proposalId }: Pick<CutoverProposal, 'kind' | 'proposalId'>,
  state: 'applied' | 'withdrawn',
  withdrawnReason: string | null = null,
): Promise<CutoverProposal | undefined> {
  const row = await findRow<Stored>(
    tx,
    `update ${TABLES[kind].table}
     set state = :state, withdrawn_reason = :withdrawn_reason
     where ${TABLES[kind].id} = :proposal_id::bigint and state = 'proposed'
     returning ${columns(kind)}`,
    { proposal_id: proposalId, state, withdrawn_reason: withdrawnReason },
  );
  return row && toProposal(kind, row);
}
