// Proposals to move a cut-over, and to take back one that has happened: a table for either kind. The database binds each to
// who it authenticated and to the instant that holds, and lets it be decided once; nothing here can say otherwise.
import type { ProposalId } from '../../kernel/proposal-id.js';
import type { ControlTransaction } from './control-database.js';

export type CutoverProposalId = ProposalId<'postponement' | 'reversal'>;
export type CutoverProposalKind = CutoverProposalId['kind'];

export interface CutoverProposal {
  readonly kind: CutoverProposalKind;
  /** The number among its kind. */
  readonly proposalId: bigint;
  readonly dataCenter: string;
  /** The instant that it moves or takes back; null: there was none. */
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
}

type Stored = Omit<CutoverProposal, 'proposalId'> & { readonly proposalId: string };

const TABLES = {
  postponement: { table: 'credit_rollout_control.postponements', id: 'postponement_id' },
  reversal: { table: 'credit_rollout_control.reversals', id: 'reversal_id' },
} as const satisfies Record<CutoverProposalKind, unknown>;

const columns = (kind: CutoverProposalKind): string =>
  `'${kind}' as kind, ${TABLES[kind].id} as "proposalId", data_center as "dataCenter", from_at as "fromAt", from_local as "fromLocal",
  to_at as "toAt", to_local as "toLocal", reason, author, proposed_at as "proposedAt", approver, decided_at as "decidedAt", state`;
const select = (kind: CutoverProposalKind): string => `select ${columns(kind)} from ${TABLES[kind].table}`;

const toProposal = (row: Stored): CutoverProposal => ({ ...row, proposalId: BigInt(row.proposalId) });

export type NewCutoverProposal = Pick<CutoverProposal, 'kind' | 'dataCenter' | 'toAt' | 'toLocal' | 'reason'>;

/** Author, old instant and time are the database's; `identifyPerson` comes first. A second open one raises 23505. */
export async function insertCutoverProposal(
  tx: ControlTransaction,
  { kind, dataCenter, toAt, toLocal, reason }: NewCutoverProposal,
): Promise<CutoverProposal> {
  const { rows } = await tx.raw(
    `insert into ${TABLES[kind].table} (data_center, to_at, to_local, reason)
     values (?, ?::timestamptz, ?, ?) returning ${columns(kind)}`,
    [dataCenter, toAt.toISOString(), toLocal, reason],
  );
  return toProposal(rows[0]);
}

/** By its number alone: it may be of another data center. */
export async function findCutoverProposal(
  tx: ControlTransaction,
  { kind, proposalId }: Pick<CutoverProposal, 'kind' | 'proposalId'>,
): Promise<CutoverProposal | undefined> {
  const { rows } = await tx.raw(`${select(kind)} where ${TABLES[kind].id} = ?::bigint`, [String(proposalId)]);
  return rows[0] && toProposal(rows[0]);
}

/** The one that waits for approval; a data center has at most one of a kind. */
export async function findOpenCutoverProposal(
  tx: ControlTransaction,
  kind: CutoverProposalKind,
  dataCenter: string,
): Promise<CutoverProposal | undefined> {
  const { rows } = await tx.raw(`${select(kind)} where data_center = ? and state = 'proposed'`, [dataCenter]);
  return rows[0] && toProposal(rows[0]);
}

/** Of all data centers, the oldest first. */
export async function listCutoverProposals(
  tx: ControlTransaction,
  kind: CutoverProposalKind,
): Promise<readonly CutoverProposal[]> {
  return (await tx.raw(`${select(kind)} order by ${TABLES[kind].id}`)).rows.map(toProposal);
}

/** Ends it; the approver is who the database authenticated. Undefined when it was decided already. */
export async function decideCutoverProposal(
  tx: ControlTransaction,
  { kind, proposalId }: Pick<CutoverProposal, 'kind' | 'proposalId'>,
  state: 'applied' | 'withdrawn',
): Promise<CutoverProposal | undefined> {
  const { rows } = await tx.raw(
    `update ${TABLES[kind].table} set state = ? where ${TABLES[kind].id} = ?::bigint and state = 'proposed'
     returning ${columns(kind)}`,
    [state, String(proposalId)],
  );
  return rows[0] && toProposal(rows[0]);
}
