// Approvals of plans. The database binds each one to its plan's digest and author and to the login that it
// authenticated, limits it to 72 hours, and lets it be used or voided only once. Nothing here can change that.
import { execute, findRow, selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export const APPROVAL_STATES = ['open', 'used', 'voided', 'expired'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

export interface ApprovalRow {
  readonly approvalId: bigint;
  readonly planId: string;
  /** The plan's digest, 64 hex digits. */
  readonly digest: string;
  readonly dataCenter: string;
  /** `guard_rails`: the plan is inside them, and the configuration lets such a plan approve itself. */
  readonly kind: 'person' | 'guard_rails';
  readonly author: string;
  /** Null: approved by the guard-rails. */
  readonly approver: string | null;
  readonly reason: string | null;
  readonly approvedAt: Date;
  readonly expiresAt: Date;
  readonly usedAt: Date | null;
  readonly usedByRun: bigint | null;
  readonly voidedAt: Date | null;
  readonly voidReason: string | null;
  /** Who voided it; null: it was not, or by an earlier version. */
  readonly voidedBy: string | null;
  /** At the moment of reading, by control's clock. */
  readonly state: ApprovalState;
}

type Stored = Omit<ApprovalRow, 'approvalId' | 'usedByRun'> & {
  readonly approvalId: string;
  readonly usedByRun: string | null;
};

// the database refuses the use of what somebody approved who may no longer approve
const APPROVER_STAYED = `(kind <> 'person' or credit_rollout_control.is_still_approver(approver, approver_login))`;

/** SQL: the state of a row of approvals now. */
export const APPROVAL_STATE = `case
    when used_at is not null then 'used'
    when voided_at is not null or not ${APPROVER_STAYED} then 'voided'
    when expires_at <= clock_timestamp() then 'expired'
    else 'open'
  end`;

const COLUMNS = `approval_id, plan_id, digest, data_center, kind, author, approver, reason, approved_at, expires_at,
  used_at, used_by_run, voided_at, void_reason, voided_by,
  ${APPROVAL_STATE} as state`;

const toRow = (row: Stored): ApprovalRow => ({
  ...row,
  approvalId: BigInt(row.approvalId),
  usedByRun: row.usedByRun === null ? null : BigInt(row.usedByRun),
});

/** The database fills in author, approver, digest and times. For a person's approval call `identifyPerson` first. */
export async function insertApproval(
  tx: ControlTransaction,
  { planId, kind, reason }: Pick<ApprovalRow, 'planId' | 'kind' | 'reason'>,
): Promise<ApprovalRow> {
  const row = await selectRow<Stored>(
    tx,
    `insert into credit_rollout_control.approvals (plan_id, kind, reason)
     values (:plan_id, :kind, :reason)
     returning ${COLUMNS}`,
    { plan_id: planId, kind, reason },
  );
  return toRow(row);
}

/** The approval of a plan that can be used now: not used, not voided, not expired. */
export async function findApproval(tx: ControlTransaction, planId: string): Promise<ApprovalRow | undefined> {
  const row = await findRow<Stored>(
    tx,
    `select ${COLUMNS}
     from credit_rollout_control.approvals
     where plan_id = :plan_id and used_at is null and voided_at is null and expires_at > clock_timestamp()
       and ${APPROVER_STAYED}`,
    { plan_id: planId },
  );
  return row && toRow(row);
}

/** Compare-and-set: false when the approval was used or voided meanwhile, or has expired. */
export async function useApproval(tx: ControlTransaction, approvalId: bigint, runId: bigint): Promise<boolean> {
  const used = await execute(
    tx,
    `update credit_rollout_control.approvals
     set used_at = clock_timestamp(), used_by_run = :run_id::bigint
     where approval_id = :approval_id::bigint
       and used_at is null and voided_at is null and expires_at > clock_timestamp() and ${APPROVER_STAYED}`,
    { approval_id: approvalId, run_id: runId },
  );
  return used === 1;
}

/** Voids every unused approval of a data center. Returns the plans whose approval could still have been used. */
export async function voidApprovals(
  tx: ControlTransaction,
  dataCenter: string,
  reason: string,
): Promise<readonly string[]> {
  const voided = await selectRows<{ readonly planId: string; readonly usable: boolean }>(
    tx,
    `update credit_rollout_control.approvals
     set voided_at = clock_timestamp(),
       void_reason = case when expires_at <= clock_timestamp() then 'it expired' else :reason end
     where data_center = :data_center and used_at is null and voided_at is null
     returning plan_id, void_reason <> 'it expired' as usable`,
    { data_center: dataCenter, reason },
  );
  return voided.filter(({ usable }) => usable).map(({ planId }) => planId);
}

/**
 * The approval that blocks a plan from being approved or applied: the newest open or used one, of this plan or of a
 * newer plan of the data center.
 */
export async function findBlockingApproval(
  tx: ControlTransaction,
  dataCenter: string,
  planId: string,
): Promise<ApprovalRow | undefined> {
  const row = await findRow<Stored>(
    tx,
    `select ${COLUMNS}
     from credit_rollout_control.approvals
     where data_center = :data_center and voided_at is null
       and (used_at is not null or expires_at > clock_timestamp() and ${APPROVER_STAYED})
       and substring(plan_id from '[0-9]+$')::bigint >= substring(:plan_id from '[0-9]+$')::bigint
     order by substring(plan_id from '[0-9]+$')::bigint desc, approval_id desc
     limit 1`,
    { data_center: dataCenter, plan_id: planId },
  );
  return row && toRow(row);
}

/** Every approval of a plan, newest first. */
export async function listPlanApprovals(tx: ControlTransaction, planId: string): Promise<readonly ApprovalRow[]> {
  const rows = await selectRows<Stored>(
    tx,
    `select ${COLUMNS} from credit_rollout_control.approvals where plan_id = :plan_id order by approval_id desc`,
    { plan_id: planId },
  );
  return rows.map(toRow);
}

/** Voids for ever what nobody has used yet and whose approver may no longer approve; returns how many. */
export async function recordLostApprovals(tx: ControlTransaction): Promise<number> {
  const { voided } = await selectRow<{ readonly voided: number }>(
    tx,
    'select credit_rollout_control.record_lost_approvals() as voided',
  );
  return voided;
}
