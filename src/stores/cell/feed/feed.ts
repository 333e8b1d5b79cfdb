// What the change feed reads next: edits that triggers recorded, or rows by updated_at. Instants stay text: a Date
// would cut their microseconds. Order matters: the fence's lock first, then `readFeed`, then the source; each in its
// own statement.

import { execute, selectRow, selectRows } from '../../query.js';
import { FROZEN } from '../batch/freezes.js';
import { type CellTransaction, FEED_LOCK, LOCK_CLASS } from '../cell-database.js';
import { READS_SOURCE } from '../identity.js';

export interface Feed {
  /** Single orgs may be written now: the fence is closed for batches, open for the feed, and the cell is not frozen. */
  readonly open: boolean;
  /** Our views are attached to the source, which still has its name. */
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
  const row = await selectRow<Omit<Feed, 'open'> & { readonly open: boolean | null }>(
    tx,
    `select clock_timestamp()::text as at, r.read_from::text, r.failure,
       f.state = 'closed' and f.single_writes and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
         and not ${FROZEN} as open,
       ${READS_SOURCE} as attached,
       case when to_regproc('credit_rollout.note_changed_orgs') is not null then 'triggers'
            when to_regclass('credit_rollout.source_updates') is not null then 'updates' end as by
     from credit_rollout.fence f cross join credit_rollout.feed r`,
  );
  return { ...row, open: row.open ?? false };
}

/** One reader at a time in a cell; false: another worker reads. */
export async function lockFeed(tx: CellTransaction): Promise<boolean> {
  const { locked } = await selectRow<{ locked: boolean }>(
    tx,
    'select pg_try_advisory_xact_lock(:lock_class, :lock) as locked',
    { lock_class: LOCK_CLASS, lock: FEED_LOCK },
  );
  return locked;
}

export interface RecordedEdits {
  /** Recorded edits that were deleted here, several of one org perhaps. */
  readonly edits: number;
  readonly orgIds: readonly string[];
}

/**
 * Deletes the oldest `limit` edits that triggers recorded and returns their orgs, ascending. The edits are back when
 * the transaction fails.
 */
export function takeRecordedEdits(tx: CellTransaction, limit: number): Promise<RecordedEdits> {
  return selectRow<RecordedEdits>(
    tx,
    `with taken as (
       delete from credit_rollout.changed_orgs where change_no in (
         select change_no from credit_rollout.changed_orgs order by change_no limit :limit)
       returning org_id, change_no),
     read as (
       update credit_rollout.feed
       set changed_at = clock_timestamp(), noted_to = greatest(noted_to, (select max(change_no) from taken))
       where exists (select from taken))
     select count(*)::int as edits, coalesce(array_agg(distinct org_id)::text[], '{}') as org_ids from taken`,
    { limit },
  );
}

/** No edit is left: all numbers given out so far are read, also those of transactions that failed. */
export async function markEditsRead(tx: CellTransaction): Promise<void> {
  const given = '(select s.last_value from credit_rollout.changed_orgs_change_no_seq s)';
  await execute(tx, `update credit_rollout.feed set noted_to = ${given} where ${given} - noted_to > 10000`);
}

/** What a reading by updated_at begins with. */
export interface Reading {
  readonly from: string;
  /** Saved when the reading ends: what the next one reads from, and which transactions were open then. */
  readonly next: string;
  readonly openThen: string;
}

// A transaction that commits late shows an updated_at of when it began. Only superusers see when the transactions of
// others began, but everybody sees that one is open. One that was not open at a reading began after it.
const OPEN_NOW = `
  select distinct l.virtualtransaction as id from pg_locks l join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'virtualxid' and l.pid <> pg_backend_pid() and a.usesysid is not null
    and a.datid = (select oid from pg_database where datname = current_database())`;

/** How far the first reading goes back, and how old a transaction may be that was open at it. */
const FIRST = "interval '10 minutes'";
/** A transaction that is open for longer no longer delays the reading: the nightly run finds what it wrote. */
const OLDEST = "interval '1 hour'";
/** The product's clocks may be behind the cell's. */
const SLACK = "interval '5 seconds'";

/** Before the first page; `at` is `readFeed`'s. */
export function beginReading(tx: CellTransaction, at: string): Promise<Reading> {
  return selectRow<Reading>(
    tx,
    `select coalesce(g.read_from, g.at - ${FIRST})::text as "from", g.open_then::text,
       greatest(g.at - ${OLDEST}, least(g.at, g.oldest) - ${SLACK})::text as next
     from (
       select q.at, f.read_from,
         coalesce(jsonb_object_agg(o.id, o.since) filter (where o.id is not null), '{}') as open_then,
         min(o.since) as oldest
       from (select :at::timestamptz as at) q
       cross join credit_rollout.feed f
       left join lateral (
         select n.id, coalesce((f.open_then ->> n.id)::timestamptz, f.read_at, q.at - ${FIRST}) as since
         from (${OPEN_NOW}) n
       ) o on true
       group by q.at, f.read_from) g`,
    { at },
  );
}

export interface UpdatedOrg {
  readonly id: string;
  readonly at: string;
}

/** The next page of orgs by the time of their update, from `from` or after the last org of the page before. */
export function listUpdated(
  tx: CellTransaction,
  page: {
    readonly from: string;
    readonly until: string;
    readonly after: UpdatedOrg | undefined;
    readonly limit: number;
  },
): Promise<readonly UpdatedOrg[]> {
  const { from, until, after, limit } = page;
  return selectRows<UpdatedOrg>(
    tx,
    `select org_id::text as id, updated_at::text as at from credit_rollout.source_updates
     where updated_at >= :from::timestamptz and updated_at < :until::timestamptz + interval '1 minute'
       ${after === undefined ? '' : 'and (updated_at, org_id) > (:from::timestamptz, :after_id::credit_rollout.org_id)'}
     order by updated_at, org_id limit :limit`,
    { from: after?.at ?? from, until, limit, ...(after !== undefined && { after_id: after.id }) },
  );
}

/** The end of a reading; not written every second while nothing happens. */
export async function saveReading(tx: CellTransaction, reading: Reading, at: string): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.feed
     set read_from = :next::timestamptz, read_at = :at::timestamptz, open_then = :open_then::jsonb,
       changed_at = clock_timestamp()
     where read_at is null or read_at < :at::timestamptz - interval '5 seconds'`,
    { next: reading.next, at, open_then: reading.openThen },
  );
}

/** Adds to the number of raised orgs. */
export async function countRaised(tx: CellTransaction, raised: number): Promise<void> {
  await execute(tx, 'update credit_rollout.feed set raised = raised + :raised, changed_at = clock_timestamp()', {
    raised,
  });
}

/** The code of a failed attempt, null after a success; written when it changes. */
export async function saveFeedFailure(tx: CellTransaction, failure: string | null): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.feed set failure = :failure, changed_at = clock_timestamp()
     where failure is distinct from :failure`,
    { failure },
  );
}
