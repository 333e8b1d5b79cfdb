// Key ranges of a run: cut, claimed, completed. The row lock is the claim; it dies with its backend.
import { type CellTransaction, LOCK_CLASS } from '../cell-database.js';
import type { KeyRange } from '../key-range.js';

/** `range`: all orgs between two bounds; the others are lists. */
export const BATCH_KINDS = ['range', 'canary', 'follow_up', 'repair'] as const;
export type BatchKind = (typeof BATCH_KINDS)[number];

export interface ClaimedBatch extends KeyRange {
  readonly batchNo: number;
  readonly kind: BatchKind;
  /** The orgs of a list; empty for a range. */
  readonly orgIds: readonly string[];
  /** Why the orgs of a repair are written; null: it is none. */
  readonly cause: string | null;
  /** What the plan says of the range; null: it follows none. `whole`: it was not halved since. */
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
  const { rows } = await tx.raw(
    `select lane from generate_series(1, ?::int) lane where pg_try_advisory_xact_lock(?, lane) limit 1`,
    [lanes, LOCK_CLASS],
  );
  return rows[0]?.lane;
}

/** How many of `lanes` permits nobody holds at this moment: a hint, since a batch that ends lets go of its own. */
export async function countFreeLanes(tx: CellTransaction, lanes: number): Promise<number> {
  const { rows } = await tx.raw(
    `select ?::int - count(distinct objid)::int as free from pg_locks
     where locktype = 'advisory' and granted and classid = ?::oid and objid between 1 and ?::oid
       and database = (select oid from pg_database where datname = current_database())`,
    [lanes, LOCK_CLASS, lanes],
  );
  return rows[0].free;
}

interface BatchRow {
  readonly batch_no: number;
  readonly lower_id: string | null;
  readonly upper_id: string | null;
  readonly kind: BatchKind;
  readonly org_ids: readonly string[] | null;
  readonly cause: string | null;
  readonly plan_range: number | null;
  readonly whole: boolean | null;
  readonly digest: string | null;
  readonly touched: number | null;
  readonly touched_credits: string | null;
}

const claimed = (rows: readonly BatchRow[]): ClaimedBatch | undefined => {
  const row = rows[0];
  return (
    row && {
      batchNo: row.batch_no,
      lowerId: row.lower_id,
      upperId: row.upper_id,
      onlyIds: row.org_ids,
      kind: row.kind,
      orgIds: row.org_ids ?? [],
      cause: row.cause,
      pin:
        row.plan_range === null
          ? null
          : {
              range: row.plan_range,
              whole: row.whole ?? false,
              digest: row.digest ?? '',
              touched: row.touched ?? 0,
              credits: row.touched_credits ?? '0',
            },
    }
  );
};

const BATCH = `b.batch_no, b.lower_id::text, b.upper_id::text, b.kind, b.org_ids::text[], b.cause, b.plan_range, p.digest::text, p.touched, p.touched_credits::text,
  b.lower_id is not distinct from p.lower_id and b.upper_id is not distinct from p.upper_id as whole
  from credit_rollout.batches b join credit_rollout.runs r on r.run_id = b.run_id
  left join credit_rollout.plan_ranges p on p.plan_id = r.plan_id and p.range_no = b.plan_range`;

/** The next pending batch, locked; undefined when none is free. Until the canary has passed, only the canary. */
export async function claimBatch(
  tx: CellTransaction,
  { runId, canaryPassed }: { readonly runId: bigint; readonly canaryPassed: boolean },
): Promise<ClaimedBatch | undefined> {
  const { rows } = await tx.raw(
    `select ${BATCH} where b.run_id = ?::bigint and b.state = 'pending' ${canaryPassed ? '' : "and b.kind = 'canary'"}
     order by b.batch_no limit 1 for update of b skip locked`,
    [String(runId)],
  );
  return claimed(rows);
}

/** One range as it is now, locked; undefined when it is no longer pending. */
export async function lockPendingBatch(
  tx: CellTransaction,
  runId: bigint,
  batchNo: number,
): Promise<ClaimedBatch | undefined> {
  const { rows } = await tx.raw(
    `select ${BATCH} where b.run_id = ?::bigint and b.batch_no = ? and b.state = 'pending' for update of b`,
    [String(runId), batchNo],
  );
  return claimed(rows);
}

/** The next range that is applied but not verified, locked. */
export async function claimVerification(tx: CellTransaction, runId: bigint): Promise<ClaimedBatch | undefined> {
  const { rows } = await tx.raw(
    `select ${BATCH} where b.run_id = ?::bigint and b.state = 'done' and b.verified_at is null
     order by b.batch_no limit 1 for update of b skip locked`,
    [String(runId)],
  );
  return claimed(rows);
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
  /** Sum over what was written, as decimal text. */
  readonly totalCredits: string;
}

/** The checkpoint, in the transaction that wrote. False when the row was not ours to complete. */
export async function completeBatch(
  tx: CellTransaction,
  at: { runId: bigint; batchNo: number; epoch: bigint; timeline: string },
  counts: BatchCounts,
): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout.batches set state = 'done', epoch = ?::bigint, timeline = ?, orgs = ?, inserted = ?, raised = ?,
       unchanged = ?, stale = ?, quarantined = ?, falls = ?, total_credits = ?::numeric,
       done_at = clock_timestamp(),
       duration_ms = (extract(epoch from clock_timestamp() - now()) * 1000)::int
     where run_id = ?::bigint and batch_no = ? and state = 'pending'`,
    [
      String(at.epoch),
      at.timeline,
      counts.orgs,
      counts.inserted,
      counts.raised,
      counts.unchanged,
      counts.stale,
      counts.quarantined,
      counts.falls,
      counts.totalCredits,
      String(at.runId),
      at.batchNo,
    ],
  );
  return rowCount === 1;
}

/** Cuts up to `most` further ranges off the uncut tail and returns how many; 0 when the run is cut to its end. */
export async function insertRanges(tx: CellTransaction, runId: bigint, most: number): Promise<number> {
  const { rows } = await tx.raw('select credit_rollout.cut_ranges(?::bigint, ?::int) as made', [String(runId), most]);
  return rows[0].made;
}

/** Cuts a range for each lane of a run that has none yet, within `forMs`; returns how many. */
export async function insertFirstRanges(tx: CellTransaction, runId: bigint, forMs: number): Promise<number> {
  await tx.raw(`set local statement_timeout = ${Math.trunc(forMs)}`);
  const { rows } = await tx.raw('select credit_rollout.cut_first_ranges(?::bigint) as made', [String(runId)]);
  return rows[0].made;
}

/** Cuts a pending range in two where it is too slow for one transaction; false when it cannot be cut further. */
export async function splitPendingBatch(tx: CellTransaction, runId: bigint, batchNo: number): Promise<boolean> {
  const { rows } = await tx.raw('select credit_rollout.split_batch(?::bigint, ?::int) as split', [
    String(runId),
    batchNo,
  ]);
  return rows[0].split;
}
