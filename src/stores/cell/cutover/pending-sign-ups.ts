// Sign-ups on credits whose allotment no worker has written yet, and the one row that says how their writing goes.
import type { GivenUpWhy, WaitingSignUps } from '../../../domain/cutover/sign-up-writing.js';
import { execute, selectRow } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

export interface DueSignUps {
  /** Any is due; cheap. */
  readonly due: boolean;
  /** Until workers may read the source for them again, in ms; 0: now. */
  readonly restMs: number;
}

export function readDueSignUps(tx: CellTransaction): Promise<DueSignUps> {
  return selectRow<DueSignUps>(
    tx,
    `select exists (select from credit_rollout.pending_sign_ups p where p.due_at <= clock_timestamp()
         or p.due_at > clock_timestamp() + interval '15 minutes') as due,
       -- no rest is longer than a minute: the clock was set back
       case when w.rest_until > clock_timestamp() + interval '1 minute' then 0 else greatest(0,
         coalesce(extract(epoch from w.rest_until - clock_timestamp()) * 1000, 0)) end::float8 as rest_ms
     from credit_rollout.sign_up_writer w`,
  );
}

export interface WrittenSignUps {
  /** More than were written: the others cannot be decided, or have to wait. */
  readonly tried: number;
  readonly written: number;
  /** What reading the source once took at most, in ms; null: it was not read. */
  readonly readMs: number | null;
  /** The last SQLSTATE that it gave. */
  readonly failure: string | null;
}

/** Writes them for about a second: none unless single writes are allowed, which it asks under the fence's lock. */
export async function writePendingSignUps(tx: CellTransaction): Promise<WrittenSignUps> {
  return selectRow<WrittenSignUps>(tx, 'select tried, written, read_ms, failure from credit_rollout.write_sign_ups()');
}

/** For every worker of this cell, and for status. */
export async function saveSignUpRead(
  tx: CellTransaction,
  { readMs, failure, restMs }: Pick<WrittenSignUps, 'readMs' | 'failure'> & { readonly restMs: number },
): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.sign_up_writer
     set read_ms = :read_ms::real, failure = :failure,
       rest_until = clock_timestamp() + make_interval(secs => :rest_ms::float8 / 1000)`,
    { read_ms: readMs, failure, rest_ms: restMs },
  );
}

/** How many wait, since when, what their writing met last, and which were given up. A scheduler may read no more. */
export async function readWaitingSignUps(tx: CellTransaction): Promise<WaitingSignUps> {
  const { givenUpCount, givenUpSince, givenUpWhy, ...waiting } = await selectRow<WaitingRow>(tx, WAITING);
  if (givenUpSince === null) return { ...waiting, givenUp: null };
  return { ...waiting, givenUp: { count: givenUpCount, since: givenUpSince, why: givenUpWhy ?? 'unreadable' } };
}

interface WaitingRow extends Omit<WaitingSignUps, 'givenUp'> {
  readonly givenUpCount: number;
  readonly givenUpSince: Date | null;
  readonly givenUpWhy: GivenUpWhy | null;
}

// the function write_sign_ups counts five tries
const WAITING = `
select count(*) filter (where p.tries < 5)::float8 as count, min(p.noted_at) filter (where p.tries < 5) as since,
  w.read_ms, w.failure, greatest(0, coalesce(extract(epoch from
    clock_timestamp() - min(p.noted_at) filter (where p.tries < 5)) * 1000, 0))::float8 as oldest_ms,
  greatest(0, coalesce(extract(epoch from
    clock_timestamp() - min(p.noted_at) filter (where p.tries = 0)) * 1000, 0))::float8 as untried_ms,
  count(*) filter (where p.tries >= 5)::float8 as given_up_count,
  min(p.noted_at) filter (where p.tries >= 5) as given_up_since,
  mode() within group (order by p.why) filter (where p.tries >= 5) as given_up_why
from credit_rollout.sign_up_writer w left join credit_rollout.pending_sign_ups p on true
group by w.read_ms, w.failure`;
