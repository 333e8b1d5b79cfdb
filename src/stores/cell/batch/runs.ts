// Runs of a cell: what a worker needs to know of one, and what the scheduler reads of its progress. Counts only.
import type { CellTransaction } from '../cell-database.js';

export interface CellRun {
  readonly runId: bigint;
  readonly kind: 'migrate' | 'reconcile' | 'undo' | 'sweep';
  readonly state: 'open' | 'done' | 'failed' | 'aborted';
  readonly cardHash: string;
  readonly batchSize: number;
  readonly lanes: number;
  /** All key ranges are cut. */
  readonly cut: boolean;
  /** The plan that it follows; null: it decides on the inputs of the moment. */
  readonly planId: bigint | null;
  /** Ranges may be taken; always true without a plan. */
  readonly canaryPassed: boolean;
}

export async function findRun(tx: CellTransaction, runId: bigint): Promise<CellRun | undefined> {
  const row = (await tx.raw('select * from credit_rollout.runs where run_id = ?::bigint', [String(runId)])).rows[0];
  return (
    row && {
      runId: BigInt(row.run_id),
      kind: row.kind,
      state: row.state,
      cardHash: row.card_hash,
      batchSize: row.batch_size,
      lanes: row.lanes,
      cut: row.cut_at !== null,
      planId: row.plan_id === null ? null : BigInt(row.plan_id),
      canaryPassed: row.plan_id === null || row.canary_passed_at !== null,
    }
  );
}

export interface NewRun extends Pick<CellRun, 'runId' | 'kind' | 'cardHash' | 'batchSize' | 'lanes' | 'planId'> {
  /** The guard-rails, for the follow-up. */
  readonly rails: unknown;
}

/**
 * Idempotent: an existing run keeps its row. It takes its batches from its plan; without one its first range is open at
 * both ends. Either way the ranges cover every id from the start (I12).
 */
export async function insertRun(tx: CellTransaction, run: NewRun): Promise<void> {
  await tx.raw(
    `insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes, plan_id, rails)
     values (?::bigint, ?, ?, ?, ?, ?::bigint, ?::jsonb) on conflict do nothing`,
    [
      String(run.runId),
      run.kind,
      run.cardHash,
      run.batchSize,
      run.lanes,
      run.planId === null ? null : String(run.planId),
      JSON.stringify(run.rails),
    ],
  );
  await tx.raw('select credit_rollout.adopt_plan(?::bigint)', [String(run.runId)]);
  await tx.raw(
    `insert into credit_rollout.batches (run_id, batch_no, state) select ?::bigint, 1, 'uncut'
     where not exists (select from credit_rollout.batches where run_id = ?::bigint)`,
    [String(run.runId), String(run.runId)],
  );
}

/** Ends an open run; false when it was not open. */
export async function endRun(
  tx: CellTransaction,
  runId: bigint,
  state: 'done' | 'failed' | 'aborted',
): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout.runs set state = ?, ended_at = clock_timestamp() where run_id = ?::bigint and state = 'open'`,
    [state, String(runId)],
  );
  return rowCount === 1;
}

/** The canary is applied and verified: ranges may be taken. */
export async function passCanary(tx: CellTransaction, runId: bigint): Promise<void> {
  await tx.raw(
    `update credit_rollout.runs set canary_passed_at = clock_timestamp() where run_id = ?::bigint and canary_passed_at is null`,
    [String(runId)],
  );
}

/** Makes batches of the stale orgs that are left; returns how many. */
export async function addFollowUp(tx: CellTransaction, runId: bigint): Promise<number> {
  const { rows } = await tx.raw('select credit_rollout.add_follow_up(?::bigint) as made', [String(runId)]);
  return rows[0].made;
}

/** Reopens a failed run for `retry`. */
export async function reopenRun(tx: CellTransaction, runId: bigint): Promise<void> {
  await tx.raw(
    `update credit_rollout.runs set state = 'open', ended_at = null where run_id = ?::bigint and state = 'failed'`,
    [String(runId)],
  );
}

/** Makes a card the one that this cell decides with from now on. */
export async function activateCard(tx: CellTransaction, cardHash: string): Promise<void> {
  await tx.raw('update credit_rollout.cell set active_card = ? where active_card is distinct from ?', [
    cardHash,
    cardHash,
  ]);
}
