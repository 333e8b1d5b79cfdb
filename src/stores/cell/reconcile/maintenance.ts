// Runs of maintenance in a cell: a night or a sweep, whose batches are lists of orgs that a worker found. Counts only.
import type { CellTransaction } from '../cell-database.js';

export interface NewMaintenance {
  readonly runId: bigint;
  readonly kind: 'reconcile' | 'sweep';
  readonly batchSize: number;
  readonly lanes: number;
  /** Most orgs that it may change, and most lapsed orgs that it may lower; null: no limit. */
  readonly maxChanged: number | null;
  readonly maxLapsed: number | null;
  /** A person accepted the falls beyond these limits. */
  readonly falls: 'within_limits' | 'accepted';
}

/** Idempotent: an existing run keeps its row. It computes with the card that the cell was last applied with. */
export async function insertMaintenance(tx: CellTransaction, run: NewMaintenance): Promise<void> {
  await tx.raw(
    `insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes, max_changed, max_lapsed, allow_falls)
     select ?::bigint, ?, active_card, ?, ?, ?, ?, ? from credit_rollout.cell on conflict do nothing`,
    [String(run.runId), run.kind, run.batchSize, run.lanes, run.maxChanged, run.maxLapsed, run.falls === 'accepted'],
  );
}

export interface MaintenanceProgress {
  /** What is to be written is known. */
  readonly detected: boolean;
  readonly pending: number;
  /** Batches that its present pass found. */
  readonly found: number;
  readonly inserted: number;
  readonly raised: number;
  /** Since the last batch, or since the fence changed; by the cell's clock. In ms. */
  readonly idleMs: number;
}

/** Undefined: the cell does not know the run. */
export async function findMaintenance(tx: CellTransaction, runId: bigint): Promise<MaintenanceProgress | undefined> {
  const { rows } = await tx.raw(
    `select r.cut_at is not null as detected, count(b.batch_no) filter (where b.state <> 'done')::int as pending,
       count(b.batch_no) filter (where b.batch_no > r.pass_from)::int as found,
       coalesce(sum(b.inserted), 0)::int as inserted, coalesce(sum(b.raised), 0)::int as raised,
       (extract(epoch from clock_timestamp() - greatest(max(b.done_at), (select changed_at from credit_rollout.fence))) * 1000)::float8 as "idleMs"
     from credit_rollout.runs r left join credit_rollout.batches b using (run_id) where r.run_id = ?::bigint group by r.run_id`,
    [String(runId)],
  );
  return rows[0];
}

/** Looks again: what is found from now on is another pass. */
export async function beginPass(tx: CellTransaction, runId: bigint): Promise<void> {
  await tx.raw(
    `update credit_rollout.runs r set pass = pass + 1, cut_at = null,
       pass_from = (select coalesce(max(b.batch_no), 0) from credit_rollout.batches b where b.run_id = r.run_id)
     where r.run_id = ?::bigint and r.state = 'open' and r.cut_at is not null`,
    [String(runId)],
  );
}

/** Lets the change feed write while the fence is closed; false when it is not. Needs the exclusive lock. */
export async function allowSingleWrites(tx: CellTransaction): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout.fence set single_writes = true, changed_at = clock_timestamp() where state = 'closed'`,
  );
  return rowCount === 1;
}

/** From here on the change feed writes nothing. Needs the exclusive lock. */
export async function stopSingleWrites(tx: CellTransaction): Promise<void> {
  await tx.raw(
    'update credit_rollout.fence set single_writes = false, changed_at = clock_timestamp() where single_writes',
  );
}
