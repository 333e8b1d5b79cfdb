// Proposals to take back a cut-over that has happened. The database binds each to who it authenticated and lets it be decided
// once; nothing here can say otherwise.
import type { ControlTransaction } from './control-database.js';

export interface ReversalRow {
  readonly reversalId: bigint;
  readonly dataCenter: string;
  /** The instant that it takes back. */
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

type Stored = Omit<ReversalRow, 'reversalId'> & { readonly reversalId: string };

const COLUMNS = `reversal_id as "reversalId", data_center as "dataCenter", from_at as "fromAt", from_local as "fromLocal",
  to_at as "toAt", to_local as "toLocal", reason, author, proposed_at as "proposedAt", approver, decided_at as "decidedAt", state`;
const SELECT = `select ${COLUMNS} from credit_rollout_control.reversals`;

const toRow = (row: Stored): ReversalRow => ({ ...row, reversalId: BigInt(row.reversalId) });

/** Author, old instant and time are the database's; `identifyPerson` comes first. A second open one raises 23505. */
export async function insertReversal(
  tx: ControlTransaction,
  { dataCenter, toAt, toLocal, reason }: Pick<ReversalRow, 'dataCenter' | 'toAt' | 'toLocal' | 'reason'>,
): Promise<ReversalRow> {
  const { rows } = await tx.raw(
    `insert into credit_rollout_control.reversals (data_center, to_at, to_local, reason)
     values (?, ?::timestamptz, ?, ?) returning ${COLUMNS}`,
    [dataCenter, toAt.toISOString(), toLocal, reason],
  );
  return toRow(rows[0]);
}

export async function findReversal(tx: ControlTransaction, id: bigint): Promise<ReversalRow | undefined> {
  const { rows } = await tx.raw(`${SELECT} where reversal_id = ?::bigint`, [String(id)]);
  return rows[0] && toRow(rows[0]);
}

/** The one that waits for approval; a data center has at most one. */
export async function findOpenReversal(tx: ControlTransaction, dataCenter: string): Promise<ReversalRow | undefined> {
  const { rows } = await tx.raw(`${SELECT} where data_center = ? and state = 'proposed'`, [dataCenter]);
  return rows[0] && toRow(rows[0]);
}

/** Of all data centers, the oldest first. */
export async function listReversals(tx: ControlTransaction): Promise<readonly ReversalRow[]> {
  return (await tx.raw(`${SELECT} order by reversal_id`)).rows.map(toRow);
}

/** Ends it; the approver is who the database authenticated. Undefined when it was decided already. */
export async function decideReversal(
  tx: ControlTransaction,
  id: bigint,
  state: 'applied' | 'withdrawn',
): Promise<ReversalRow | undefined> {
  const { rows } = await tx.raw(
    `update credit_rollout_control.reversals set state = ? where reversal_id = ?::bigint and state = 'proposed'
     returning ${COLUMNS}`,
    [state, String(id)],
  );
  return rows[0] && toRow(rows[0]);
}
