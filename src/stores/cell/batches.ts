// Key ranges of a run: cut, claimed, completed. The row lock is the claim; it dies with its backend.
import { type CellTransaction, LOCK_CLASS } from './cell-database.js';
import type { KeyRange } from './key-range.js';

export interface ClaimedBatch extends KeyRange {
  readonly batchNo: number;
}

/** Takes one of `lanes` permits until the transaction ends; undefined when all are taken. */
export async function lockLane(tx: CellTransaction, lanes: number): Promise<number | undefined> {
  const { rows } = await tx.raw(
    `select lane from generate_series(1, ?::int) lane where pg_try_advisory_xact_lock(?, lane) limit 1`,
    [lanes, LOCK_CLASS],
  );
  return rows[0]?.lane;
}

const claimed = (
  rows: readonly { batch_no: number; lower_id: string | null; upper_id: string | null }[],
): ClaimedBatch | undefined => {
  const row = rows[0];
  return row && { batchNo: row.batch_no, lowerId: row.lower_id, upperId: row.upper_id };
};

/** The next pending range, locked; undefined when none is free. */
export async function claimBatch(tx: CellTransaction, runId: bigint): Promise<ClaimedBatch | undefined> {
  const { rows } = await tx.raw(
    `select batch_no, lower_id::text, upper_id::text from credit_rollout.batches
     where run_id = ?::bigint and state = 'pending' order by batch_no limit 1 for update skip locked`,
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
    `select batch_no, lower_id::text, upper_id::text from credit_rollout.batches
     where run_id = ?::bigint and batch_no = ? and state = 'pending' for update`,
    [String(runId), batchNo],
  );
  return claimed(rows);
}

/** The next range that is applied but not verified, locked. */
export async function claimVerification(tx: CellTransaction, runId: bigint): Promise<ClaimedBatch | undefined> {
  const { rows } = await tx.raw(
    `select batch_no, lower_id::text, upper_id::text from credit_rollout.batches
     where run_id = ?::bigint and state = 'done' and verified_at is null order by batch_no limit 1 for update skip locked`,
    [String(runId)],
  );
  return claimed(rows);
}

export interface BatchCounts {
  readonly orgs: number;
  readonly inserted: number;
  readonly raised: number;
  readonly unchanged: number;
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
       unchanged = ?, stale = 0, quarantined = ?, falls = ?, total_credits = ?::numeric,
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
export async function cutRanges(tx: CellTransaction, runId: bigint, most: number): Promise<number> {
  const { rows } = await tx.raw('select credit_rollout.cut_ranges(?::bigint, ?::int) as made', [String(runId), most]);
  return rows[0].made;
}

/** Cuts a pending range in two where it is too slow for one transaction; false when it cannot be cut further. */
export async function splitBatch(tx: CellTransaction, runId: bigint, batchNo: number): Promise<boolean> {
  const { rows } = await tx.raw('select credit_rollout.split_batch(?::bigint, ?::int) as split', [
    String(runId),
    batchNo,
  ]);
  return rows[0].split;
}
