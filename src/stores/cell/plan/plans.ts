// Plans as they lie in a cell: made, and read again. The orgs that a plan names never leave here but for the
// command that shows them.
import type { PlanCounts, PlanReport, StoredReport } from '../../../domain/plan/plan-report.js';
import type { CellTransaction } from '../cell-database.js';
import type { PlanSums } from './plan-ranges.js';

/** A plan's head. */
export interface StoredPlan {
  readonly planId: bigint;
  readonly digest: string;
  readonly cardHash: string;
  readonly sourceSignature: string;
  readonly author: string;
  readonly snapshotAt: Date;
  readonly madeAt: Date;
  readonly ranges: number;
  readonly orgs: number;
  readonly touched: number;
  readonly report: StoredReport;
}

const HEAD = `plan_id, digest, card_hash, source_signature, author, snapshot_at, made_at, ranges, orgs::float8, touched::float8, counts`;

const toPlan = (row: Readonly<Record<string, unknown>> & PlanRow): StoredPlan => ({
  planId: BigInt(row.plan_id),
  digest: row.digest,
  cardHash: row.card_hash,
  sourceSignature: row.source_signature,
  author: row.author,
  snapshotAt: row.snapshot_at,
  madeAt: row.made_at,
  ranges: row.ranges,
  orgs: row.orgs,
  touched: row.touched,
  report: row.counts,
});

interface PlanRow {
  readonly plan_id: string;
  readonly digest: string;
  readonly card_hash: string;
  readonly source_signature: string;
  readonly author: string;
  readonly snapshot_at: Date;
  readonly made_at: Date;
  readonly ranges: number;
  readonly orgs: number;
  readonly touched: number;
  readonly counts: StoredReport;
}

export async function findPlan(tx: CellTransaction, planId: bigint): Promise<StoredPlan | undefined> {
  const { rows } = await tx.raw(`select ${HEAD} from credit_rollout.plans where plan_id = ?::bigint`, [String(planId)]);
  return rows[0] && toPlan(rows[0]);
}

/** The orgs that the report of a plan names, which must be there. Org data. */
export async function readPlanLists(tx: CellTransaction, planId: bigint): Promise<PlanReport['orgs']> {
  const { rows } = await tx.raw('select lists from credit_rollout.plans where plan_id = ?::bigint', [String(planId)]);
  return rows[0].lists;
}

/** The digest of what lies there now; another than the plan's own means that somebody edited it. */
export async function digestPlan(
  tx: CellTransaction,
  plan: { readonly planId: bigint; readonly cardHash: string; readonly sourceSignature: string },
): Promise<string> {
  const { rows } = await tx.raw('select credit_rollout.digest_plan(?::bigint, ?, ?) as digest', [
    String(plan.planId),
    plan.cardHash,
    plan.sourceSignature,
  ]);
  return rows[0].digest;
}

/** Whether its ranges cover every id, none twice, as they did when it was made. */
export async function hasEveryRange(tx: CellTransaction, planId: bigint): Promise<boolean> {
  const { rows } = await tx.raw(
    `select count(*) > 0 and bool_and(r.lower_id is not distinct from r.before) and count(*) filter (where r.upper_id is null) = 1 as whole
     from (select lower_id, upper_id, lag(upper_id) over (order by lower_id nulls first) as before
       from credit_rollout.plan_ranges where plan_id = ?::bigint) r`,
    [String(planId)],
  );
  return rows[0].whole;
}

export async function takePlanId(tx: CellTransaction): Promise<bigint> {
  const { rows } = await tx.raw(`select nextval('credit_rollout.plan_ids') as id`);
  return BigInt(rows[0].id);
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

// from the sums, not from the rows: those that other transactions wrote cannot be seen in the plan's snapshot
async function digestSums(tx: CellTransaction, { cardHash, sourceSignature, orgs, sums }: NewPlan): Promise<string> {
  const { rows } = await tx.raw(
    'select credit_rollout.digest_sums(?, ?, ?::bigint, ?::bigint, ?::numeric, ?::numeric) as digest',
    [cardHash, sourceSignature, orgs, sums.touched, sums.credits, sums.digest],
  );
  return rows[0].digest;
}

/** The last row of a plan: with it the plan is there, whole. Returns its digest. */
export async function insertPlan(tx: CellTransaction, plan: NewPlan): Promise<string> {
  const digest = await digestSums(tx, plan);
  await tx.raw(
    `insert into credit_rollout.plans (plan_id, digest, card_hash, source_signature, author, snapshot_at, ranges, orgs, touched,
       canary_ids, canary_hashes, counts, lists)
     values (?::bigint, ?, ?, ?, ?, ?, ?, ?::bigint, ?::bigint, ?::credit_rollout.org_id[], ?::bigint[], ?::jsonb, ?::jsonb)`,
    [
      String(plan.planId),
      digest,
      plan.cardHash,
      plan.sourceSignature,
      plan.author,
      plan.snapshotAt,
      plan.ranges,
      plan.orgs,
      plan.touched,
      plan.canaries.map(({ orgId }) => orgId),
      plan.canaries.map(({ hash }) => hash),
      JSON.stringify(plan.report),
      JSON.stringify(plan.lists),
    ],
  );
  return digest;
}

// The plans of a cell in one line each: whose they are and what they come to. Counts only.

export interface PlanHead {
  readonly planId: bigint;
  /** 64 hex digits. */
  readonly digest: string;
  readonly cardHash: string;
  readonly author: string;
  readonly snapshotAt: Date;
  readonly madeAt: Date;
  readonly counts: PlanCounts;
}

/** The newest `most`, newest first. */
export async function listPlanHeads(tx: CellTransaction, most: number): Promise<readonly PlanHead[]> {
  const { rows } = await tx.raw(
    `select plan_id as "planId", digest, card_hash as "cardHash", author, snapshot_at as "snapshotAt", made_at as "madeAt",
       counts -> 'counts' as counts
     from credit_rollout.plans order by plan_id desc limit ?`,
    [most],
  );
  return rows.map((row: Omit<PlanHead, 'planId'> & { readonly planId: string }) => ({
    ...row,
    planId: BigInt(row.planId),
  }));
}

// Forgets plans that are over. An owner's function does it: nobody of ours may delete a plan otherwise.

/** Forgets the oldest plan that is over, and returns its number; undefined: none is. Never one of `kept`. */
export async function deletePlan(
  tx: CellTransaction,
  { retentionDays, kept }: { readonly retentionDays: number; readonly kept: readonly bigint[] },
): Promise<bigint | undefined> {
  const { rows } = await tx.raw('select credit_rollout.forget_plan(?::int, ?::bigint[]) as plan_id', [
    retentionDays,
    kept.map(String),
  ]);
  return rows[0].plan_id === null ? undefined : BigInt(rows[0].plan_id);
}
