// Plans as control knows them: author, digest, counts and guard-rails; what became of each, and which ones are in use.
// What a plan decides for orgs stays in the cell.
import { parseRailReadings, type RailReading } from '../../domain/plan/guard-rails.js';
import type { PlanCounts } from '../../domain/plan/plan-report.js';
import { execute, findRow, selectRow, selectRows } from '../query.js';
import type { Seal } from '../seal.js';
import { APPROVAL_STATE, type ApprovalRow } from './approvals.js';
import type { ControlTransaction } from './control-database.js';
import type { ControlRun } from './runs.js';

export interface RegisteredPlan {
  /** `<dc>-<n>`, for example `in-7`. */
  readonly planId: string;
  readonly dataCenter: string;
  /** 64 hex digits. */
  readonly digest: string;
  readonly cardHash: string;
  readonly author: string;
  readonly snapshotAt: Date;
  readonly registeredAt: Date;
  readonly counts: PlanCounts;
  readonly rails: readonly RailReading[];
  /** Every guard-rail passes; decided by the database. */
  readonly insideRails: boolean;
}

/** A plan to register; `snapshotAt` as ISO 8601. */
export interface NewRegisteredPlan
  extends Pick<RegisteredPlan, 'planId' | 'dataCenter' | 'digest' | 'cardHash' | 'author' | 'counts' | 'rails'> {
  readonly snapshotAt: string;
  /** What the cell sealed: its digest, card, instant and counts are taken, not those given here. */
  readonly seal: Seal;
}

const SELECT = `select plan_id, data_center, digest, card_hash, author, snapshot_at, registered_at, counts, rails,
  inside_rails
from credit_rollout_control.plans`;

/** Adds a plan; false when its id exists already. */
export async function insertRegisteredPlan(tx: ControlTransaction, plan: NewRegisteredPlan): Promise<boolean> {
  const added = await execute(
    tx,
    `insert into credit_rollout_control.plans
       (plan_id, data_center, digest, card_hash, author, snapshot_at, counts, rails, cell_seal)
     values (:plan_id, :data_center, :digest, :card_hash, :author, :snapshot_at::timestamptz, :counts::jsonb,
       :rails::jsonb, :seal::jsonb)
     on conflict (plan_id) do nothing`,
    {
      plan_id: plan.planId,
      data_center: plan.dataCenter,
      digest: plan.digest,
      card_hash: plan.cardHash,
      author: plan.author,
      snapshot_at: plan.snapshotAt,
      counts: JSON.stringify(plan.counts),
      rails: JSON.stringify(plan.rails),
      seal: plan.seal,
    },
  );
  return added === 1;
}

export async function findRegisteredPlan(tx: ControlTransaction, planId: string): Promise<RegisteredPlan | undefined> {
  const row = await findRow<StoredPlan>(tx, `${SELECT} where plan_id = :plan_id`, { plan_id: planId });
  return row && toPlan(row);
}

type StoredPlan = Omit<RegisteredPlan, 'rails' | 'snapshotAt'> & {
  readonly rails: unknown;
  /** No Date where an earlier version let infinity in. */
  readonly snapshotAt: unknown;
};

const toPlan = ({ rails, snapshotAt, ...plan }: StoredPlan): RegisteredPlan => ({
  ...plan,
  rails: parseRailReadings(rails),
  snapshotAt: snapshotAt instanceof Date ? snapshotAt : plan.registeredAt,
});

/** The newest of these data centers first, at most `limit`. */
export async function listRegisteredPlans(
  tx: ControlTransaction,
  dataCenters: readonly string[],
  limit: number,
): Promise<readonly RegisteredPlan[]> {
  const rows = await selectRows<StoredPlan>(
    tx,
    `${SELECT}
     where data_center = any (:data_centers::text[])
     order by registered_at desc, plan_id
     limit :limit`,
    { data_centers: dataCenters, limit },
  );
  return rows.map(toPlan);
}

/** The newest approval of a plan, and the newest run that followed it; null: none. */
export interface PlanUse {
  readonly planId: string;
  readonly approval: Pick<ApprovalRow, 'state' | 'kind' | 'approver' | 'expiresAt' | 'usedByRun' | 'voidReason'> | null;
  readonly run: Pick<ControlRun, 'runId' | 'state'> | null;
}

const USES = `
select w.plan_id, a.state as approval_state, a.kind, a.approver, a.expires_at, a.used_by_run, a.void_reason,
  r.run_id, r.state as run_state
from unnest(:plan_ids::text[], :digests::text[]) as w (plan_id, digest)
left join lateral (
  select kind, approver, expires_at, used_by_run, void_reason,
    ${APPROVAL_STATE} as state
  from credit_rollout_control.approvals
  where plan_id = w.plan_id and digest = w.digest
  order by approval_id desc
  limit 1
) a on true
left join lateral (
  select run_id, state
  from credit_rollout_control.runs
  where plan_id = w.plan_id
  order by run_id desc
  limit 1
) r on true`;

interface StoredUse {
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

/** One for each plan that is given; an approval of another digest does not count. */
export async function listPlanUses(
  tx: ControlTransaction,
  plans: readonly Pick<RegisteredPlan, 'planId' | 'digest'>[],
): Promise<readonly PlanUse[]> {
  const rows = await selectRows<StoredUse>(tx, USES, {
    plan_ids: plans.map(({ planId }) => planId),
    digests: plans.map(({ digest }) => digest),
  });
  return rows.map((row) => ({
    planId: row.planId,
    approval: toApproval(row),
    run: row.runId === null ? null : { runId: BigInt(row.runId), state: row.runState },
  }));
}

function toApproval(row: StoredUse): PlanUse['approval'] {
  const { approvalState, kind, approver, expiresAt, voidReason } = row;
  if (approvalState === null) return null;
  const usedByRun = row.usedByRun === null ? null : BigInt(row.usedByRun);
  return { state: approvalState, kind, approver, expiresAt, usedByRun, voidReason };
}

/**
 * Plans that must not be purged, however old: with an open approval, requested, or followed by a run that may go on.
 */
export async function listPlansInUse(tx: ControlTransaction): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly planId: string }>(
    tx,
    `select plan_id from credit_rollout_control.approvals
     where used_at is null and voided_at is null and expires_at > clock_timestamp()
     union
     select plan_id from credit_rollout_control.runs
     where state = 'open' and plan_id is not null
     union
     select plan_id from credit_rollout_control.data_centers
     where plan_id is not null
       and (requested_at is not null or stage not in ('pending', 'done', 'aborted', 'undone'))`,
  );
  return rows.map(({ planId }) => planId);
}

/** The newest plan number that control has seen of a data center, in a plan or an approval; 0: none. */
export async function readNewestPlanNumber(tx: ControlTransaction, dataCenter: string): Promise<bigint> {
  const { newest } = await selectRow<{ readonly newest: string }>(
    tx,
    `select coalesce(max(substring(p.plan_id from '[0-9]+$')::bigint), 0)::text as newest from (
       select plan_id from credit_rollout_control.plans where data_center = :data_center
       union all select plan_id from credit_rollout_control.approvals where data_center = :data_center) p`,
    { data_center: dataCenter },
  );
  return BigInt(newest);
}

/** Deletes plans older than `days` except those in use; their approvals stay. Returns how many. */
export async function deleteOldPlans(
  tx: ControlTransaction,
  days: number,
  inUse: readonly string[] = [],
): Promise<number> {
  const { purged } = await selectRow<{ readonly purged: number }>(
    tx,
    'select credit_rollout_control.purge_plans(:days::int, :in_use::text[]) as purged',
    { days, in_use: inUse },
  );
  return purged;
}
