// Approvals of plans. The database binds each to its plan's digest and author and to who it authenticated, gives it 72
// hours, and lets it be used or voided once; nothing here can say otherwise.
import type { ControlTransaction } from './control-database.js';

export const APPROVAL_STATES = ['open', 'used', 'voided', 'expired'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

export interface ApprovalRow {
  readonly approvalId: bigint;
  readonly planId: string;
  /** The plan's, 64 hex digits. */
  readonly digest: string;
  readonly dataCenter: string;
  /** `guard_rails`: the plan is inside them, and the configuration lets such a plan approve itself. */
  readonly kind: 'person' | 'guard_rails';
  readonly author: string;
  /** Null: the guard-rails. */
  readonly approver: string | null;
  readonly reason: string | null;
  readonly approvedAt: Date;
  readonly expiresAt: Date;
  readonly usedAt: Date | null;
  readonly usedByRun: bigint | null;
  readonly voidedAt: Date | null;
  readonly voidReason: string | null;
  /** Now, by control's clock. */
  readonly state: ApprovalState;
}

type Stored = Omit<ApprovalRow, 'approvalId' | 'usedByRun'> & {
  readonly approvalId: string;
  readonly usedByRun: string | null;
};

const COLUMNS = `approval_id as "approvalId", plan_id as "planId", digest, data_center as "dataCenter", kind, author,
  approver, reason, approved_at as "approvedAt", expires_at as "expiresAt", used_at as "usedAt", used_by_run as "usedByRun",
  voided_at as "voidedAt", void_reason as "voidReason",
  case when used_at is not null then 'used' when voided_at is not null then 'voided'
       when expires_at <= clock_timestamp() then 'expired' else 'open' end as state`;

const toRow = (row: Stored): ApprovalRow => ({
  ...row,
  approvalId: BigInt(row.approvalId),
  usedByRun: row.usedByRun === null ? null : BigInt(row.usedByRun),
});

/** Gives an approval; author, approver, digest and times are the database's. For a person, `identifyPerson` comes first. */
export async function insertApproval(
  tx: ControlTransaction,
  approval: Pick<ApprovalRow, 'planId' | 'kind' | 'reason'>,
): Promise<ApprovalRow> {
  const { rows } = await tx.raw(
    `insert into credit_rollout_control.approvals (plan_id, kind, reason) values (?, ?, ?) returning ${COLUMNS}`,
    [approval.planId, approval.kind, approval.reason],
  );
  return toRow(rows[0]);
}

/** What may be used for a plan now: neither used nor voided nor expired. */
export async function findApproval(tx: ControlTransaction, planId: string): Promise<ApprovalRow | undefined> {
  const { rows } = await tx.raw(
    `select ${COLUMNS} from credit_rollout_control.approvals
     where plan_id = ? and used_at is null and voided_at is null and expires_at > clock_timestamp()`,
    [planId],
  );
  return rows[0] && toRow(rows[0]);
}

/** Compare-and-set: false when it was used or voided meanwhile, or is over. */
export async function useApproval(tx: ControlTransaction, approvalId: bigint, runId: bigint): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout_control.approvals set used_at = clock_timestamp(), used_by_run = ?::bigint
     where approval_id = ?::bigint and used_at is null and voided_at is null and expires_at > clock_timestamp()`,
    [String(runId), String(approvalId)],
  );
  return rowCount === 1;
}

/** Voids what is unused in a data center; returns the plans whose approval could still have been used. */
export async function voidApprovals(
  tx: ControlTransaction,
  dataCenter: string,
  reason: string,
): Promise<readonly string[]> {
  const { rows } = await tx.raw(
    `update credit_rollout_control.approvals set voided_at = clock_timestamp(),
       void_reason = case when expires_at <= clock_timestamp() then 'it expired' else ? end
     where data_center = ? and used_at is null and voided_at is null
     returning plan_id, void_reason <> 'it expired' as usable`,
    [reason, dataCenter],
  );
  return rows.filter((row: { usable: boolean }) => row.usable).map((row: { plan_id: string }) => row.plan_id);
}

/** The newest approval that stands in the way of another plan of the data center: open or used, of this or a newer plan. */
export async function findPrevailing(
  tx: ControlTransaction,
  dataCenter: string,
  planId: string,
): Promise<ApprovalRow | undefined> {
  const number = `substring(plan_id from '[0-9]+$')::bigint`;
  const { rows } = await tx.raw(
    `select ${COLUMNS} from credit_rollout_control.approvals
     where data_center = ? and voided_at is null and (used_at is not null or expires_at > clock_timestamp())
       and ${number} >= substring(? from '[0-9]+$')::bigint
     order by ${number} desc, approval_id desc limit 1`,
    [dataCenter, planId],
  );
  return rows[0] && toRow(rows[0]);
}

/** The newest `most`, newest first; of one data center, or of all. */
export async function listApprovalRows(
  tx: ControlTransaction,
  most: number,
  dataCenter?: string,
): Promise<readonly ApprovalRow[]> {
  const { rows } = await tx.raw(
    `select ${COLUMNS} from credit_rollout_control.approvals where ?::text is null or data_center = ?
     order by approval_id desc limit ?`,
    [dataCenter ?? null, dataCenter ?? null, most],
  );
  return rows.map(toRow);
}

/** Every approval of a plan, newest first. */
export async function listPlanApprovals(tx: ControlTransaction, planId: string): Promise<readonly ApprovalRow[]> {
  const { rows } = await tx.raw(
    `select ${COLUMNS} from credit_rollout_control.approvals where plan_id = ? order by approval_id desc`,
    [planId],
  );
  return rows.map(toRow);
}
