// Plans as control knows them: whose they are, their digest, counts and guard-rails. What they say of orgs stays in the cell.
import type { RailReading } from '../../domain/plan/guard-rails.js';
import type { PlanCounts } from '../../domain/plan/plan-report.js';
import type { ControlTransaction } from './control-database.js';

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
}

const SELECT = `select plan_id as "planId", data_center as "dataCenter", digest, card_hash as "cardHash", author,
  snapshot_at as "snapshotAt", registered_at as "registeredAt", counts, rails, inside_rails as "insideRails"
  from credit_rollout_control.plans`;

/** Adds a plan; false when its id is there already. */
export async function insertRegisteredPlan(tx: ControlTransaction, plan: NewRegisteredPlan): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `insert into credit_rollout_control.plans (plan_id, data_center, digest, card_hash, author, snapshot_at, counts, rails)
     values (?, ?, ?, ?, ?, ?::timestamptz, ?::jsonb, ?::jsonb) on conflict (plan_id) do nothing`,
    [
      plan.planId,
      plan.dataCenter,
      plan.digest,
      plan.cardHash,
      plan.author,
      plan.snapshotAt,
      JSON.stringify(plan.counts),
      JSON.stringify(plan.rails),
    ],
  );
  return rowCount === 1;
}

export async function findRegisteredPlan(tx: ControlTransaction, planId: string): Promise<RegisteredPlan | undefined> {
  return (await tx.raw(`${SELECT} where plan_id = ?`, [planId])).rows[0];
}

/** Forgets plans older than `days` but those in `kept`; their approvals stay. Returns how many. */
export async function deleteOldPlans(
  tx: ControlTransaction,
  days: number,
  kept: readonly string[] = [],
): Promise<number> {
  const { rowCount } = await tx.raw(
    `delete from credit_rollout_control.plans where registered_at < clock_timestamp() - make_interval(days => ?::int)
       and plan_id <> all (?::text[])`,
    [days, [...kept]],
  );
  return rowCount ?? 0;
}
