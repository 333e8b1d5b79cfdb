// Plans as control knows them, many at a time: what became of each, and which of them must stay.
import type { ApprovalRow } from './approvals.js';
import type { ControlTransaction } from './control-database.js';
import type { RegisteredPlan } from './plans.js';
import type { ControlRun } from './runs.js';

/** The newest `most` of these data centers, newest first. */
export async function listRegisteredPlans(
  tx: ControlTransaction,
  dataCenters: readonly string[],
  most: number,
): Promise<readonly RegisteredPlan[]> {
  const { rows } = await tx.raw(
    `select plan_id as "planId", data_center as "dataCenter", digest, card_hash as "cardHash", author, snapshot_at as "snapshotAt",
       registered_at as "registeredAt", counts, rails, inside_rails as "insideRails"
     from credit_rollout_control.plans where data_center = any (?::text[]) order by registered_at desc, plan_id limit ?`,
    [[...dataCenters], most],
  );
  return rows;
}

/** The newest approval of a plan, and the newest run that followed it; null: none. */
export interface PlanFate {
  readonly planId: string;
  readonly approval: Pick<ApprovalRow, 'state' | 'kind' | 'approver' | 'expiresAt' | 'usedByRun' | 'voidReason'> | null;
  readonly run: Pick<ControlRun, 'runId' | 'state'> | null;
}

const FATES = `
select w.plan_id as "planId", a.state as "approvalState", a.kind, a.approver, a.expires_at as "expiresAt", a.used_by_run as "usedByRun",
  a.void_reason as "voidReason", r.run_id as "runId", r.state as "runState"
from unnest(?::text[], ?::text[]) as w (plan_id, digest)
left join lateral (
  select kind, approver, expires_at, used_by_run, void_reason,
    case when used_at is not null then 'used' when voided_at is not null then 'voided'
         when expires_at <= clock_timestamp() then 'expired' else 'open' end as state
  from credit_rollout_control.approvals where plan_id = w.plan_id and digest = w.digest order by approval_id desc limit 1) a on true
left join lateral (
  select run_id, state from credit_rollout_control.runs where plan_id = w.plan_id order by run_id desc limit 1) r on true`;

interface FateRow {
  readonly planId: string;
  readonly approvalState: ApprovalRow['state'] | null;
  readonly kind: ApprovalRow['kind'];
  readonly approver: string | null;
  readonly expiresAt: Date;
  readonly usedByRun: string | null;
  readonly voidReason: string | null;
  readonly runId: string | null;
  readonly runState: ControlRun['state'];
}

const toFate = (row: FateRow): PlanFate => ({
  planId: row.planId,
  approval:
    row.approvalState === null
      ? null
      : {
          state: row.approvalState,
          kind: row.kind,
          approver: row.approver,
          expiresAt: row.expiresAt,
          usedByRun: row.usedByRun === null ? null : BigInt(row.usedByRun),
          voidReason: row.voidReason,
        },
  run: row.runId === null ? null : { runId: BigInt(row.runId), state: row.runState },
});

/** One for each plan that is named; an approval of another digest is not its own. */
export async function listPlanFates(
  tx: ControlTransaction,
  plans: readonly { readonly planId: string; readonly digest: string }[],
): Promise<readonly PlanFate[]> {
  const { rows } = await tx.raw(FATES, [plans.map(({ planId }) => planId), plans.map(({ digest }) => digest)]);
  return rows.map(toFate);
}

/** Plans that must not be forgotten, however old: with an open approval, asked for, or followed by a run that may go on. */
export async function listKeptPlans(tx: ControlTransaction): Promise<readonly string[]> {
  const { rows } = await tx.raw(
    `select plan_id from credit_rollout_control.approvals
       where used_at is null and voided_at is null and expires_at > clock_timestamp()
     union select plan_id from credit_rollout_control.runs where state = 'open' and plan_id is not null
     union select plan_id from credit_rollout_control.data_centers
       where plan_id is not null and (requested_at is not null or stage not in ('pending', 'done', 'aborted', 'undone'))`,
  );
  return rows.map((row: { plan_id: string }) => row.plan_id);
}
