// Proposals to move a cut-over. The database binds each to who it authenticated and to the instant that it moves, and lets
// it be decided once; nothing here can say otherwise.
import type { ControlTransaction } from './control-database.js';

export interface PostponementRow {
  readonly postponementId: bigint;
  readonly dataCenter: string;
  /** The instant that it moves; null: there was none. */
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

type Stored = Omit<PostponementRow, 'postponementId'> & { readonly postponementId: string };

const COLUMNS = `postponement_id as "postponementId", data_center as "dataCenter", from_at as "fromAt", from_local as "fromLocal",
  to_at as "toAt", to_local as "toLocal", reason, author, proposed_at as "proposedAt", approver, decided_at as "decidedAt", state`;
const SELECT = `select ${COLUMNS} from credit_rollout_control.postponements`;

const toRow = (row: Stored): PostponementRow => ({ ...row, postponementId: BigInt(row.postponementId) });

/** Author, old instant and time are the database's; `identifyPerson` comes first. A second open one raises 23505. */
export async function insertPostponement(
  tx: ControlTransaction,
  { dataCenter, toAt, toLocal, reason }: Pick<PostponementRow, 'dataCenter' | 'toAt' | 'toLocal' | 'reason'>,
): Promise<PostponementRow> {
  const { rows } = await tx.raw(
    `insert into credit_rollout_control.postponements (data_center, to_at, to_local, reason)
     values (?, ?::timestamptz, ?, ?) returning ${COLUMNS}`,
    [dataCenter, toAt.toISOString(), toLocal, reason],
  );
  return toRow(rows[0]);
}

export async function findPostponement(tx: ControlTransaction, id: bigint): Promise<PostponementRow | undefined> {
  const { rows } = await tx.raw(`${SELECT} where postponement_id = ?::bigint`, [String(id)]);
  return rows[0] && toRow(rows[0]);
}

/** The one that waits for approval; a data center has at most one. */
export async function findOpenPostponement(
  tx: ControlTransaction,
  dataCenter: string,
): Promise<PostponementRow | undefined> {
  const { rows } = await tx.raw(`${SELECT} where data_center = ? and state = 'proposed'`, [dataCenter]);
  return rows[0] && toRow(rows[0]);
}

/** Of all data centers, the oldest first. */
export async function listPostponements(tx: ControlTransaction): Promise<readonly PostponementRow[]> {
  return (await tx.raw(`${SELECT} order by postponement_id`)).rows.map(toRow);
}

/** Ends it; the approver is who the database authenticated. Undefined when it was decided already. */
export async function decidePostponement(
  tx: ControlTransaction,
  id: bigint,
  state: 'applied' | 'withdrawn',
): Promise<PostponementRow | undefined> {
  const { rows } = await tx.raw(
    `update credit_rollout_control.postponements set state = ? where postponement_id = ?::bigint and state = 'proposed'
     returning ${COLUMNS}`,
    [state, String(id)],
  );
  return rows[0] && toRow(rows[0]);
}
