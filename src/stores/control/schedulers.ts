// Which schedulers were seen lately, so that `status` can report that none runs.
import { execute, selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

/**
 * Records that this scheduler is alive now; `differs`: settings that its configuration writes otherwise; `queueError`
 * and `tickError`: the codes of its last use of the queue and of its last tick.
 */
export async function saveSchedulerSeen(
  tx: ControlTransaction,
  schedulerId: string,
  {
    differs = [],
    queueError = null,
    tickError = null,
  }: {
    readonly differs?: readonly string[];
    readonly queueError?: string | null;
    readonly tickError?: string | null;
  } = {},
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.schedulers (scheduler_id, differs, queue_error, tick_error)
     values (:scheduler_id, :differs::text[], :queue_error, :tick_error)
     on conflict (scheduler_id) do update
       set seen_at = clock_timestamp(), differs = excluded.differs, queue_error = excluded.queue_error,
         tick_error = excluded.tick_error`,
    { scheduler_id: schedulerId, differs, queue_error: queueError, tick_error: tickError },
  );
}

/** Settings that the configuration of a scheduler seen in the last 15 s writes otherwise than the policy. */
export async function listSchedulerDifferences(tx: ControlTransaction): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly name: string }>(
    tx,
    `select distinct unnest(differs) as name from credit_rollout_control.schedulers
     where seen_at > clock_timestamp() - interval '15 s' order by 1`,
  );
  return rows.map(({ name }) => name);
}

export interface SchedulerFailure {
  readonly code: string;
  readonly since: Date;
}

/** Of the schedulers that were seen in the last 15 s, those that cannot use their queue, the longest first. */
export function listQueueFailures(tx: ControlTransaction): Promise<readonly SchedulerFailure[]> {
  return selectRows<SchedulerFailure>(
    tx,
    `select queue_error as code, queue_error_since as since from credit_rollout_control.schedulers
     where seen_at > clock_timestamp() - interval '15 s' and queue_error is not null order by since, scheduler_id`,
  );
}

/** Of the same, those whose last tick failed as a whole: they take no step. The longest first. */
export function listTickFailures(tx: ControlTransaction): Promise<readonly SchedulerFailure[]> {
  return selectRows<SchedulerFailure>(
    tx,
    `select tick_error as code, tick_error_since as since from credit_rollout_control.schedulers
     where seen_at > clock_timestamp() - interval '15 s' and tick_error is not null order by since, scheduler_id`,
  );
}

/** Deletes a scheduler that ends, and every other that was not seen for a day. */
export async function deleteScheduler(tx: ControlTransaction, schedulerId: string): Promise<void> {
  await execute(tx, 'select credit_rollout_control.delete_scheduler(:scheduler_id)', { scheduler_id: schedulerId });
}

export interface Schedulers {
  /** Seen in the last 15 s. */
  readonly alive: number;
  /** When the last one was seen; null: none was seen, or all of them stopped in order. */
  readonly lastSeenAt: Date | null;
}

export async function readSchedulers(tx: ControlTransaction): Promise<Schedulers> {
  return selectRow<Schedulers>(
    tx,
    `select
       count(*) filter (where seen_at > clock_timestamp() - interval '15 s')::int as alive,
       max(seen_at) as last_seen_at
     from credit_rollout_control.schedulers`,
  );
}

/** Those that no living process renews any more: not seen for a minute, and not ended in order. */
export const readGoneSchedulers = (
  tx: ControlTransaction,
): Promise<{ readonly count: number; readonly seenAt: Date | null }> =>
  selectRow(
    tx,
    `select count(*)::int as count, max(seen_at) as seen_at from credit_rollout_control.schedulers
     where seen_at < clock_timestamp() - interval '1 minute'`,
  );

/** Deletes those that were not seen for a day. */
export const deleteGoneSchedulers = (tx: ControlTransaction): Promise<void> => deleteScheduler(tx, '');

/**
 * The logins of schedulers that were seen in the last 15 s, quoted by the catalog, and what each may do beyond a
 * scheduler.
 */
export function listSchedulerLogins(
  tx: ControlTransaction,
): Promise<readonly { readonly login: string; readonly powers: readonly string[] }[]> {
  return selectRows(
    tx,
    `select distinct format('%I', login) as login, powers from credit_rollout_control.schedulers
     where seen_at > clock_timestamp() - interval '15 s' and login is not null order by 1`,
  );
}
