// Which schedulers have been seen lately; lets status say "no scheduler" instead of nothing.
import type { ControlTransaction } from './control-database.js';

export async function saveSchedulerSeen(tx: ControlTransaction, schedulerId: string): Promise<void> {
  await tx.raw(
    `insert into credit_rollout_control.schedulers (scheduler_id) values (?) on conflict (scheduler_id) do update set seen_at = clock_timestamp()`,
    [schedulerId],
  );
}

export async function deleteScheduler(tx: ControlTransaction, schedulerId: string): Promise<void> {
  await tx.raw(
    `delete from credit_rollout_control.schedulers where scheduler_id = ? or seen_at < clock_timestamp() - interval '1 day'`,
    [schedulerId],
  );
}

export interface Schedulers {
  /** Seen in the last 15 s. */
  readonly alive: number;
  /** When the last one was; null: none since all of them ended as they were told. */
  readonly lastSeenAt: Date | null;
}

export async function readSchedulers(tx: ControlTransaction): Promise<Schedulers> {
  const { rows } = await tx.raw(
    `select count(*) filter (where seen_at > clock_timestamp() - interval '15 s')::int as alive, max(seen_at) as last from credit_rollout_control.schedulers`,
  );
  return { alive: rows[0].alive, lastSeenAt: rows[0].last };
}
