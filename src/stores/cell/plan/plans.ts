// Plans as a cell stores them: inserted once, and read again. The orgs that a plan names leave the cell only for the
// command that shows them.
import type { PlanCounts, PlanReport, StoredReport } from '../../../domain/plan/plan-report.js';
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import type { PlanSums } from './plan-ranges.js';

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
    `select count(*) > 0 and bool_and(r.lower_id is not distinct from r.before)
       and count(*) filter (where r.upper_id is null) = 1 as whole
     from (select lower_id, upper_id, lag(upper_id) over (order by lower_id nulls first) as before
       from credit_rollout.plan_ranges where plan_id = :plan_id::bigint) r`,
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
  readonly sourceSignature: string;
  readonly author: string;
  readonly snapshotAt: Date;
  readonly ranges: number;
  readonly orgs: number;
  readonly touched: number;
  readonly sums: PlanSums;
  readonly canaries: readonly { readonly orgId: string; readonly hash: string }[];
  readonly report: StoredReport;
  readonly lists: PlanReport['orgs'];
}

// from the sums, not from the rows: the plan's snapshot does not see the rows that other transactions wrote
async function digestSums(tx: CellTransaction, { cardHash, sourceSignature, orgs, sums }: NewPlan): Promise<string> {
  const { digest } = await selectRow<{ readonly digest: string }>(
    tx,
    `select credit_rollout.digest_sums(:card_hash, :source_signature, :orgs::bigint, :touched::bigint,
       :credits::numeric, :digest::numeric) as digest`,
    { card_hash: cardHash, source_signature: sourceSignature, orgs, ...sums },
  );
  return digest;
}

/** The last row of a plan: only with it the plan is there, and then whole. Returns its digest. */
export async function insertPlan(tx: CellTransaction, plan: NewPlan): Promise<string> {
  const digest = await digestSums(tx, plan);
  await execute(
    tx,
    `insert into credit_rollout.plans (plan_id, digest, card_hash, source_signature, author, snapshot_at, ranges, orgs,
       touched, canary_ids, canary_hashes, counts, lists)
     values (:plan_id::bigint, :digest, :card_hash, :source_signature, :author, :snapshot_at, :ranges, :orgs::bigint,
       :touched::bigint, :canary_ids::credit_rollout.org_id[], :canary_hashes::bigint[], :report::jsonb,
       :lists::jsonb)`,
    {
      plan_id: plan.planId,
      digest,
      card_hash: plan.cardHash,
      source_signature: plan.sourceSignature,
      author: plan.author,
      snapshot_at: plan.snapshotAt,
      ranges: plan.ranges,
      orgs: plan.orgs,
      touched: plan.touched,
      canary_ids: plan.canaries.map(({ orgId }) => orgId),
      canary_hashes: plan.canaries.map(({ hash }) => hash),
      report: JSON.stringify(plan.report),
      lists: JSON.stringify(plan.lists),
    },
  );
  return digest;
}

/**
 * Deletes the oldest plan that is no longer needed, never one of `kept`; returns its number, or undefined when there is
 * none. A function of the owner does it: none of our roles may delete a plan otherwise.
 */
export async function deletePlan(
  tx: CellTransaction,
  { retentionDays, kept }: { readonly retentionDays: number; readonly kept: readonly bigint[] },
): Promise<bigint | undefined> {
  const { planId } = await selectRow<{ readonly planId: string | null }>(
    tx,
    'select credit_rollout.forget_plan(:retention_days::int, :kept::bigint[]) as plan_id',
    { retention_days: retentionDays, kept: kept.map(String) },
  );
  return planId === null ? undefined : BigInt(planId);
}
