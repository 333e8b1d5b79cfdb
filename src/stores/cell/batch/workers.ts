// Which workers have been seen at this cell lately; lets status say "no worker" instead of nothing.
import type { CellTransaction } from '../cell-database.js';

/** `trouble`: code of the last failed attempt, null after a success. */
export async function saveWorkerSeen(tx: CellTransaction, workerId: string, trouble: string | null): Promise<void> {
  await tx.raw(
    `insert into credit_rollout.workers (worker_id, trouble) values (?, ?)
     on conflict (worker_id) do update set seen_at = clock_timestamp(), trouble = excluded.trouble`,
    [workerId, trouble],
  );
}

export async function deleteWorker(tx: CellTransaction, workerId: string): Promise<void> {
  await tx.raw(
    "delete from credit_rollout.workers where worker_id = ? or seen_at < clock_timestamp() - interval '1 day'",
    [workerId],
  );
}

/** Workers seen in the last 15 s, and what one of them is in trouble with. */
export async function readWorkers(
  tx: CellTransaction,
): Promise<{ readonly alive: number; readonly trouble: string | null }> {
  const { rows } = await tx.raw(
    `select count(*)::int as alive, max(trouble) as trouble from credit_rollout.workers
     where seen_at > clock_timestamp() - interval '15 s'`,
  );
  return rows[0];
}
