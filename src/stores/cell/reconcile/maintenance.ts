// Maintenance runs in a cell: nightly runs and sweeps, whose batches are lists of orgs that a worker found. Counts
// only.
import { execute, findRow, selectRow, undone } from '../../query.js';
import type { Seal } from '../../seal.js';
import type { CellTransaction } from '../cell-database.js';

/**
 * Opens the nightly run or sweep that control sealed, with its limits. Idempotent: an existing run stays as it is. A
 * run computes with the card that the cell was last applied with. Raises what `readSealFailure` reads.
 */
export async function openSealedMaintenance(tx: CellTransaction, seal: Seal): Promise<void> {
  await execute(tx, 'select credit_rollout.open_maintenance(:seal::jsonb)', { seal });
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

/** Undefined: the cell has no such run. */
export async function findMaintenance(tx: CellTransaction, runId: bigint): Promise<MaintenanceProgress | undefined> {
  return findRow<MaintenanceProgress>(
    tx,
    `select r.cut_at is not null as detected, count(b.batch_no) filter (where b.state <> 'done')::int as pending,
       count(b.batch_no) filter (where b.batch_no > r.pass_from)::int as found,
       coalesce(sum(b.inserted), 0)::float8 as inserted, coalesce(sum(b.raised), 0)::float8 as raised,
       (extract(epoch from clock_timestamp()
         - greatest(max(b.done_at), (select changed_at from credit_rollout.fence))) * 1000)::float8 as idle_ms
     from credit_rollout.runs r left join credit_rollout.batches b using (run_id)
     where r.run_id = :run_id::bigint group by r.run_id`,
    { run_id: runId },
  );
}

/**
 * Orgs from before the cut-over that a sweep has neither written nor set aside, at most 1,000; 0: it looked at all.
 * Code of the product's view runs inside, and is undone.
 */
export async function countUnswept(tx: CellTransaction, runId: bigint): Promise<number> {
  const { orgs } = await undone(tx, () =>
    selectRow<{ readonly orgs: number }>(tx, 'select credit_rollout.count_unswept(:run_id::bigint)::int as orgs', {
      run_id: runId,
    }),
  );
  return orgs;
}

/** Begins another pass of the search: what is found from now on belongs to it. */
export async function beginPass(tx: CellTransaction, runId: bigint): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.runs r set pass = pass + 1, cut_at = null,
       pass_from = (select coalesce(max(b.batch_no), 0) from credit_rollout.batches b where b.run_id = r.run_id)
     where r.run_id = :run_id::bigint and r.state = 'open' and r.cut_at is not null`,
    { run_id: runId },
  );
}

/** Lets the change feed write while the fence is closed; false when it is open. Needs the exclusive lock. */
export async function allowSingleWrites(tx: CellTransaction): Promise<boolean> {
  const updated = await execute(
    tx,
    `update credit_rollout.fence set single_writes = true, changed_at = clock_timestamp() where state = 'closed'`,
  );
  return updated === 1;
}

/** From here on the change feed writes nothing. Needs the exclusive lock. */
export async function stopSingleWrites(tx: CellTransaction): Promise<void> {
  await execute(
    tx,
    'update credit_rollout.fence set single_writes = false, changed_at = clock_timestamp() where single_writes',
  );
}

/**
 * Purges at most `limit` rows of nights and sweeps that the policy keeps no longer, and workers that were not seen for
 * a day; returns how many. A function of the owner does it: none of our roles may delete these rows.
 */
export async function purgeOldNights(
  tx: CellTransaction,
  { retention, limit }: { readonly retention: Seal; readonly limit: number },
): Promise<number> {
  const { purged } = await selectRow<{ readonly purged: number }>(
    tx,
    'select credit_rollout.purge_nights(:retention::jsonb, :limit::int) as purged',
    { retention, limit },
  );
  return purged;
}
