// What the change feed reads next: notes of the triggers, or rows by updated_at. Instants stay text: a Date would cut them.
// Order matters: the fence's lock first, then `readFeed`, then the source; each in a statement of its own.

import { FROZEN } from '../batch/freezes.js';
import { type CellTransaction, FEED_LOCK, LOCK_CLASS } from '../cell-database.js';

export interface Feed {
  /** Single orgs may be written now: the fence is shut for batches and open for us, and nobody froze the cell. */
  readonly open: boolean;
  /** Our views hang on the source. */
  readonly attached: boolean;
  /** How edits are found; null: neither by triggers nor by updated_at. */
  readonly by: 'triggers' | 'updates' | null;
  /** The cell's clock before anything was read. */
  readonly at: string;
  /** Null: nothing was read yet. */
  readonly readFrom: string | null;
  readonly failure: string | null;
}

/** Needs the fence's lock, shared, where something is to be written after it. */
export async function readFeed(tx: CellTransaction): Promise<Feed> {
  const { rows } = await tx.raw(
    `select clock_timestamp()::text as at, r.read_from::text as "readFrom", r.failure,
       f.state = 'closed' and f.single_writes and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
         and not ${FROZEN} as open,
       to_regclass('credit_rollout.source_orgs') is not null as attached,
       case when to_regproc('credit_rollout.note_changed_orgs') is not null then 'triggers'
            when to_regclass('credit_rollout.source_updates') is not null then 'updates' end as by
     from credit_rollout.fence f cross join credit_rollout.feed r`,
  );
  return { ...rows[0], open: rows[0].open ?? false };
}

/** One reader at a time in a cell; false: another worker reads. */
export async function lockFeed(tx: CellTransaction): Promise<boolean> {
  const { rows } = await tx.raw('select pg_try_advisory_xact_lock(?, ?) as locked', [LOCK_CLASS, FEED_LOCK]);
  return rows[0].locked;
}

/** Takes the oldest notes away and returns the orgs that they name, ascending; they are back when the transaction fails. */
export async function takeNotes(tx: CellTransaction, most: number): Promise<{ notes: number; orgIds: string[] }> {
  const { rows } = await tx.raw(
    `with taken as (
       delete from credit_rollout.changed_orgs where change_no in (
         select change_no from credit_rollout.changed_orgs order by change_no limit ?)
       returning org_id, change_no),
     read as (
       update credit_rollout.feed set changed_at = clock_timestamp(), noted_to = greatest(noted_to, (select max(change_no) from taken))
       where exists (select from taken))
     select count(*)::int as notes, coalesce(array_agg(distinct org_id)::text[], '{}') as "orgIds" from taken`,
    [most],
  );
  return rows[0];
}

/** Nothing waits: whatever numbers were given out are behind us, those of transactions that failed included. */
export async function markNotesRead(tx: CellTransaction): Promise<void> {
  const given = '(select s.last_value from credit_rollout.changed_orgs_change_no_seq s)';
  await tx.raw(`update credit_rollout.feed set noted_to = ${given} where ${given} - noted_to > 10000`);
}

/** What a reading by updated_at begins with. */
export interface Reading {
  readonly from: string;
  /** Kept when it ends: what the next one reads from, and what was open then. */
  readonly next: string;
  readonly openThen: string;
}

// A transaction that commits late shows an updated_at of when it began. Only superusers see when others' transactions
// began; that one is open everybody sees. One that was not open at a read began after it.
const OPEN_NOW = `select distinct l.virtualtransaction as id from pg_locks l join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'virtualxid' and l.pid <> pg_backend_pid() and a.usesysid is not null
    and a.datid = (select oid from pg_database where datname = current_database())`;

/** Before the first read, and for a transaction that was open at it. */
const FIRST = "interval '10 minutes'";
/** A transaction open for longer holds the reading up no more: the night finds what it wrote. */
const OLDEST = "interval '1 hour'";
/** The product's clocks may be behind the cell's. */
const SLACK = "interval '5 seconds'";

/** Before the first page; `at` is `readFeed`'s. */
export async function beginReading(tx: CellTransaction, at: string): Promise<Reading> {
  const { rows } = await tx.raw(
    `select coalesce(g.read_from, g.at - ${FIRST})::text as "from", g.open_then::text as "openThen",
       greatest(g.at - ${OLDEST}, least(g.at, g.oldest) - ${SLACK})::text as next
     from (
       select q.at, f.read_from, coalesce(jsonb_object_agg(o.id, o.since) filter (where o.id is not null), '{}') as open_then,
         min(o.since) as oldest
       from (select ?::timestamptz as at) q cross join credit_rollout.feed f
       left join lateral (
         select n.id, coalesce((f.open_then ->> n.id)::timestamptz, f.read_at, q.at - ${FIRST}) as since from (${OPEN_NOW}) n
       ) o on true
       group by q.at, f.read_from) g`,
    [at],
  );
  return rows[0];
}

export interface UpdatedOrg {
  readonly id: string;
  readonly at: string;
}

/** The next page of orgs by the time of their update, from `from` or after the last one of the page before. */
export async function listUpdated(
  tx: CellTransaction,
  page: {
    readonly from: string;
    readonly until: string;
    readonly after: UpdatedOrg | undefined;
    readonly most: number;
  },
): Promise<readonly UpdatedOrg[]> {
  const { from, until, after, most } = page;
  const { rows } = await tx.raw(
    `select org_id::text as id, updated_at::text as at from credit_rollout.source_updates
     where updated_at >= ?::timestamptz and updated_at < ?::timestamptz + interval '1 minute'
       ${after === undefined ? '' : 'and (updated_at, org_id) > (?::timestamptz, ?::credit_rollout.org_id)'}
     order by updated_at, org_id limit ?`,
    [after?.at ?? from, until, ...(after === undefined ? [] : [after.at, after.id]), most],
  );
  return rows;
}

/** The end of a reading; not written every second while nothing happens. */
export async function saveReading(tx: CellTransaction, reading: Reading, at: string): Promise<void> {
  await tx.raw(
    `update credit_rollout.feed set read_from = ?::timestamptz, read_at = ?::timestamptz, open_then = ?::jsonb,
       changed_at = clock_timestamp()
     where read_at is null or read_at < ?::timestamptz - interval '5 seconds'`,
    [reading.next, at, reading.openThen, at],
  );
}

/** Counts what was raised. */
export async function countRaised(tx: CellTransaction, raised: number): Promise<void> {
  await tx.raw('update credit_rollout.feed set raised = raised + ?, changed_at = clock_timestamp()', [raised]);
}

/** The code of a failed attempt, null after a success; written when it changes. */
export async function saveFeedFailure(tx: CellTransaction, failure: string | null): Promise<void> {
  await tx.raw(
    `update credit_rollout.feed set failure = ?, changed_at = clock_timestamp() where failure is distinct from ?`,
    [failure, failure],
  );
}
