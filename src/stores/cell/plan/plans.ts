// Plans as a cell stores them: inserted once, and read again. The orgs that a plan names leave the cell only for the
// command that shows them.
import type { PlanCounts, PlanReport, StoredReport } from '../../../domain/plan/plan-report.js';
import { findRow, selectRow, selectRows } from '../../query.js';
import type { Seal } from '../../seal.js';
import type { CellTransaction } from '../cell-database.js';

/** A plan without its report: whose it is, what it was made from, and its counts. */
export interface StoredPlan {
  readonly planId: bigint;
  /** 64 hex digits. */
  readonly digest: string;
  readonly cardHash: string;
  readonly sourceSignature: string;
  readonly author: string;
  readonly snapshotAt: Date;
  readonly madeAt: Date;
  readonly counts: PlanCounts;
}

type PlanRow = Omit<StoredPlan, 'planId'> & { readonly planId: string };

const PLAN = `
select plan_id, digest, card_hash, source_signature, author, snapshot_at, made_at, counts -> 'counts' as counts
from credit_rollout.plans`;

const toPlan = (row: PlanRow): StoredPlan => ({ ...row, planId: BigInt(row.planId) });

export async function findPlan(tx: CellTransaction, planId: bigint): Promise<StoredPlan | undefined> {
  const row = await findRow<PlanRow>(tx, `${PLAN} where plan_id = :plan_id::bigint`, { plan_id: planId });
  return row && toPlan(row);
}

/** The newest `limit` plans, newest first. */
export async function listStoredPlans(tx: CellTransaction, limit: number): Promise<readonly StoredPlan[]> {
  const rows = await selectRows<PlanRow>(tx, `${PLAN} order by plan_id desc limit :limit`, { limit });
  return rows.map(toPlan);
}

/** The report of a plan, and the orgs that it names. Org data. The plan must be there. */
export async function readStoredReport(
  tx: CellTransaction,
  planId: bigint,
): Promise<{ readonly report: StoredReport; readonly lists: PlanReport['orgs'] }> {
  return selectRow(tx, 'select counts as report, lists from credit_rollout.plans where plan_id = :plan_id::bigint', {
    plan_id: planId,
  });
}

/** The digest of what the cell stores now; another than the plan's own means that somebody edited it. */
export async function digestPlan(
  tx: CellTransaction,
  plan: Pick<StoredPlan, 'planId' | 'cardHash' | 'sourceSignature'>,
): Promise<string> {
  const { digest } = await selectRow<{ readonly digest: string }>(
    tx,
    'select credit_rollout.digest_plan(:plan_id::bigint, :card_hash, :source_signature) as digest',
    { plan_id: plan.planId, card_hash: plan.cardHash, source_signature: plan.sourceSignature },
  );
  return digest;
}

/** Whether its ranges cover every id, none twice, as they did when it was made. */
export async function hasEveryRange(tx: CellTransaction, planId: bigint): Promise<boolean> {
  const { whole } = await selectRow<{ readonly whole: boolean }>(
    tx,
    `select count(*) > 0 and count(*) filter (where r.upper_id is null) = 1
       and bool_and(case r.place when 1 then r.lower_id is null else coalesce(r.lower_id = r.before, false) end)
       as whole
     from (select lower_id, upper_id, row_number() over w as place, lag(upper_id) over w as before
       from credit_rollout.plan_ranges where plan_id = :plan_id::bigint window w as (order by lower_id nulls first)) r`,
    { plan_id: planId },
  );
  return whole;
}

export async function nextPlanId(tx: CellTransaction): Promise<bigint> {
  const { id } = await selectRow<{ readonly id: string }>(tx, `select nextval('credit_rollout.plan_ids') as id`);
  return BigInt(id);
}

export interface NewPlan {
  readonly planId: bigint;
  readonly cardHash: string;
  readonly author: string;
  readonly snapshotAt: Date;
  readonly canaries: readonly { readonly orgId: string; readonly hash: string }[];
  readonly report: StoredReport;
  readonly lists: PlanReport['orgs'];
}

/**
 * Adds the last row of a plan: only with it the plan is there, and then whole. Returns its digest. The database takes
 * from what it stored what guard-rails measure, whatever the report says. Throws plan_edited where ranges are missing.
 */
export async function finishPlan(tx: CellTransaction, plan: NewPlan): Promise<string> {
  const { digest } = await selectRow<{ readonly digest: string }>(
    tx,
    `select credit_rollout.finish_plan(:plan_id::bigint, :card_hash, :author, :snapshot_at::timestamptz,
       :canary_ids::credit_rollout.org_id[], :canary_hashes::bigint[], :report::jsonb, :lists::jsonb) as digest`,
    {
      plan_id: plan.planId,
      card_hash: plan.cardHash,
      author: plan.author,
      snapshot_at: plan.snapshotAt,
      canary_ids: plan.canaries.map(({ orgId }) => orgId),
      canary_hashes: plan.canaries.map(({ hash }) => hash),
      report: JSON.stringify(plan.report),
      lists: JSON.stringify(plan.lists),
    },
  );
  return digest;
}

/** What control must see before it registers a plan; undefined: the cell has no such plan. Throws not_initialised. */
export async function sealPlan(tx: CellTransaction, planId: bigint): Promise<Seal | undefined> {
  const { seal } = await selectRow<{ readonly seal: Seal | null }>(
    tx,
    'select credit_rollout.seal_plan(:plan_id::bigint)::text as seal',
    { plan_id: planId },
  );
  return seal ?? undefined;
}

/**
 * Deletes the oldest plan that the policy keeps no longer, never one of `kept`; returns its number, or undefined when
 * there is none. A function of the owner does it: none of our roles may delete a plan otherwise.
 */
export async function deletePlan(
  tx: CellTransaction,
  { retention, kept }: { readonly retention: Seal; readonly kept: readonly bigint[] },
): Promise<bigint | undefined> {
  const { planId } = await selectRow<{ readonly planId: string | null }>(
    tx,
    'select credit_rollout.forget_plan(:retention::jsonb, :kept::bigint[]) as plan_id',
    { retention, kept: kept.map(String) },
  );
  return planId === null ? undefined : BigInt(planId);
}
