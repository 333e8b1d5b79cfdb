// Which workers have been seen at this cell lately; lets status say "no worker" instead of nothing.
import type { CellTransaction } from './cell-database.js';

export async function saveWorkerSeen(tx: CellTransaction, workerId: string): Promise<void> {
  await tx.raw(
    `insert into credit_rollout.workers (worker_id) values (?) on conflict (worker_id) do update set seen_at = clock_timestamp()`,
    [workerId],
  );
}

export async function deleteWorker(tx: CellTransaction, workerId: string): Promise<void> {
  await tx.raw(
    "delete from credit_rollout.workers where worker_id = ? or seen_at < clock_timestamp() - interval '1 day'",
    [workerId],
  );
}

/** Workers seen in the last 15 s, and when the last one was. */
export async function readWorkers(
  tx: CellTransaction,
): Promise<{ readonly alive: number; readonly lastSeenAt: Date | null }> {
  const { rows } = await tx.raw(
    `select count(*) filter (where seen_at > clock_timestamp() - interval '15 s')::int as alive, max(seen_at) as last from credit_rollout.workers`,
  );
  return { alive: rows[0].alive, lastSeenAt: rows[0].last };
}
