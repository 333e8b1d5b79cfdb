// The batches of a run: claimed, completed, split. The row lock is the claim, and it ends with its backend.
import { execute, findRow, selectRow } from '../../query.js';
import { type CellTransaction, LOCK_CLASS } from '../cell-database.js';
import type { KeyRange } from '../key-range.js';

/** `range`: all orgs between two bounds; the others are lists of orgs. */
export const BATCH_KINDS = ['range', 'canary', 'follow_up', 'repair'] as const;
export type BatchKind = (typeof BATCH_KINDS)[number];

export interface ClaimedBatch extends KeyRange {
  readonly batchNo: number;
  readonly kind: BatchKind;
  /** The orgs of a list; empty for a range. */
  readonly orgIds: readonly string[];
  /** Why the orgs of a repair are written; null: the batch is no repair. */
  readonly cause: string | null;
  /** What the plan expects of the range; null: the batch is a list. `whole`: it was not split since. */
  readonly pin: {
    readonly range: number;
    readonly whole: boolean;
    readonly digest: string;
    readonly touched: number;
    /** Sum of what is to be written, as decimal text. */
    readonly credits: string;
  } | null;
}

/** Takes one of `lanes` permits until the transaction ends; undefined when all are taken. */
export async function lockLane(tx: CellTransaction, lanes: number): Promise<number | undefined> {
  const row = await findRow<{ lane: number }>(
    tx,
    'select lane from generate_series(1, :lanes::int) lane where pg_try_advisory_xact_lock(:lock_class, lane) limit 1',
    { lanes, lock_class: LOCK_CLASS },
  );
  return row?.lane;
}

interface BatchRow {
  readonly batchNo: number;
  readonly lowerId: string | null;
  readonly upperId: string | null;
  readonly kind: BatchKind;
  readonly orgIds: readonly string[] | null;
  readonly cause: string | null;
  readonly planRange: number | null;
  readonly whole: boolean | null;
  readonly digest: string | null;
  readonly touched: number | null;
  readonly touchedCredits: string | null;
}

const toBatch = ({ batchNo, lowerId, upperId, kind, orgIds, cause, ...plan }: BatchRow): ClaimedBatch => ({
  batchNo,
  lowerId,
  upperId,
  onlyIds: orgIds,
  kind,
  orgIds: orgIds ?? [],
  cause,
  pin:
    plan.planRange === null
      ? null
      : {
          range: plan.planRange,
          whole: plan.whole ?? false,
          digest: plan.digest ?? '',
          touched: plan.touched ?? 0,
          credits: plan.touchedCredits ?? '0',
        },
});

const BATCHES = `
select b.batch_no, b.lower_id::text, b.upper_id::text, b.kind, b.org_ids::text[], b.cause,
  b.plan_range, p.digest::text, p.touched, p.touched_credits::text,
  b.lower_id is not distinct from p.lower_id and b.upper_id is not distinct from p.upper_id as whole
from credit_rollout.batches b
join credit_rollout.runs r on r.run_id = b.run_id
left join credit_rollout.plan_ranges p on p.plan_id = r.plan_id and p.range_no = b.plan_range
where b.run_id = :run_id::bigint`;

/**
 * The next pending batch, locked; undefined when none is free. Until the canary has passed, only batches of the canary.
 */
export async function claimBatch(
  tx: CellTransaction,
  { runId, canaryPassed }: { readonly runId: bigint; readonly canaryPassed: boolean },
): Promise<ClaimedBatch | undefined> {
  const row = await findRow<BatchRow>(
    tx,
    `${BATCHES} and b.state = 'pending' ${canaryPassed ? '' : "and b.kind = 'canary'"}
     order by b.batch_no limit 1 for update of b skip locked`,
    { run_id: runId },
  );
  return row && toBatch(row);
}

/** One batch as it is now, locked; undefined when it is no longer pending. */
export async function lockPendingBatch(
  tx: CellTransaction,
  runId: bigint,
  batchNo: number,
): Promise<ClaimedBatch | undefined> {
  const row = await findRow<BatchRow>(
    tx,
    `${BATCHES} and b.batch_no = :batch_no and b.state = 'pending' for update of b`,
    { run_id: runId, batch_no: batchNo },
  );
  return row && toBatch(row);
}

/** The next batch that is applied but not verified, locked; undefined when none is free. */
export async function claimVerification(tx: CellTransaction, runId: bigint): Promise<ClaimedBatch | undefined> {
  const row = await findRow<BatchRow>(
    tx,
    `${BATCHES} and b.state = 'done' and b.verified_at is null
     order by b.batch_no limit 1 for update of b skip locked`,
    { run_id: runId },
  );
  return row && toBatch(row);
}

export interface BatchCounts {
  readonly orgs: number;
  readonly inserted: number;
  readonly raised: number;
  readonly unchanged: number;
  /** Changed since the plan, and left out. */
  readonly stale: number;
  readonly quarantined: number;
  readonly falls: number;
  /** Sum over the written allotments, as decimal text. */
  readonly totalCredits: string;
}

/**
 * SQL: measured by what has just worked for long enough to wait for a processor as the others do. It takes 1.5 ms, so
 * what took less than 200 ms measures by chance, the more often the longer it took: five times in a second of work.
 */
export const SLOWDOWN = `case when clock_timestamp() - now() > interval '50 ms'
         and clock_timestamp() - now() > random() * interval '200 ms' then credit_rollout.slowdown() end`;

/** The checkpoint, in the transaction that wrote. False when the batch was no longer pending. */
export async function completeBatch(
  tx: CellTransaction,
  at: { runId: bigint; batchNo: number; epoch: bigint; timeline: string },
  counts: BatchCounts,
): Promise<boolean> {
  const completed = await execute(
    tx,
    `update credit_rollout.batches
     set state = 'done', epoch = :epoch::bigint, timeline = :timeline, orgs = :orgs, inserted = :inserted,
       raised = :raised, unchanged = :unchanged, stale = :stale, quarantined = :quarantined, falls = :falls,
       total_credits = :total_credits::numeric, done_at = clock_timestamp(),
       duration_ms = (extract(epoch from clock_timestamp() - now()) * 1000)::int, slowdown = ${SLOWDOWN}
     where run_id = :run_id::bigint and batch_no = :batch_no and state = 'pending'`,
    {
      run_id: at.runId,
      batch_no: at.batchNo,
      epoch: at.epoch,
      timeline: at.timeline,
      orgs: counts.orgs,
      inserted: counts.inserted,
      raised: counts.raised,
      unchanged: counts.unchanged,
      stale: counts.stale,
      quarantined: counts.quarantined,
      falls: counts.falls,
      total_credits: counts.totalCredits,
    },
  );
  return completed === 1;
}

/** Splits a pending range that is too slow for one transaction; false when it cannot be split further. */
export async function splitPendingBatch(tx: CellTransaction, runId: bigint, batchNo: number): Promise<boolean> {
  const { split } = await selectRow<{ split: boolean }>(
    tx,
    'select credit_rollout.split_batch(:run_id::bigint, :batch_no::int) as split',
    { run_id: runId, batch_no: batchNo },
  );
  return split;
}
