// Orgs by their updated_at. Instants stay text: a Date would cut their microseconds.
import type { UpdatedOrg } from '../../../domain/feed/sort-edits.js';
import { isRowFailure } from '../../postgres-failure.js';
import { execute, findRow, selectRow, selectRowAndUndo, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { findSourceRangeEnd, type SourceReadMode } from '../source-ranges.js';
import { listIds } from '../unreadable.js';

/** What a reading by updated_at begins with. */
export interface Reading {
  readonly from: string;
  /** What was updated up to here waits elsewhere. */
  readonly past: string;
  /** Saved when the reading ends: what the next one reads from, and which transactions were open then. */
  readonly next: string;
  readonly openThen: string;
  /** A transaction that was open at the last reading has ended: what it wrote is read now, and need not be again. */
  readonly ended: boolean;
}

// A transaction that commits late shows an updated_at of when it began. Only superusers see when the transactions of
// others began, but everybody sees that one is open, and then that it has ended. One that was not open at a reading
// began after it.
const OPEN_NOW = `
  select distinct l.virtualtransaction as id from pg_locks l join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'virtualxid' and l.pid <> pg_backend_pid() and a.usesysid is not null
    and a.datid = (select oid from pg_database where datname = current_database())`;

/** How far the first reading goes back, and how old a transaction may be that was open at it. */
const FIRST = "interval '10 minutes'";
/** A transaction that was open for longer is not waited for: the nightly run finds what it wrote. */
const OLDEST = "interval '1 hour'";
/** The product's clocks may be behind the cell's. */
const SLACK = "interval '5 seconds'";

/** Before the source is read; `at` is `readFeed`'s. */
export function beginReading(tx: CellTransaction, at: string): Promise<Reading> {
  return selectRow<Reading>(
    tx,
    `with open_now as materialized (${OPEN_NOW}),
     q as (select :at::timestamptz as at),
     known as (
       select o.key as id, o.value::timestamptz as since
       from credit_rollout.feed f cross join jsonb_each_text(f.open_then) o),
     ended as (select min(k.since) as since from known k where not exists (select from open_now n where n.id = k.id))
     select greatest(q.at - ${OLDEST},
         least(coalesce(f.read_from, q.at - ${FIRST}), ended.since - ${SLACK}))::text as "from",
       coalesce(f.read_past, '-infinity')::text as past, (q.at - ${SLACK})::text as next,
       (select coalesce(jsonb_object_agg(n.id, coalesce(k.since, f.read_at, q.at - ${FIRST})), '{}')
        from open_now n left join known k on k.id = n.id)::text as open_then,
       ended.since is not null as ended
     from q cross join credit_rollout.feed f cross join ended`,
    { at },
  );
}

/**
 * The orgs that were updated since, the newest first, at most `limit`. An index on updated_at gives them without a
 * sort, however many have one instant.
 */
export function listUpdated(
  tx: CellTransaction,
  { from, past }: Pick<Reading, 'from' | 'past'>,
  { at, limit }: { readonly at: string; readonly limit: number },
): Promise<readonly UpdatedOrg[]> {
  return selectRows<UpdatedOrg>(
    tx,
    `select u.org_id::text as id, u.updated_at::text as at
     from credit_rollout.list_updated(:from::timestamptz, :past::timestamptz,
       :at::timestamptz + interval '1 minute', :limit::bigint) u`,
    { from, past, at, limit },
  );
}

/**
 * Where that search fails for one of the orgs: the ids of all of them, in no order. Undefined where there are too many.
 * Throws the view's error where these cannot be read either.
 */
export async function listUpdatedKeys(
  tx: CellTransaction,
  { from, past }: Pick<Reading, 'from' | 'past'>,
  at: string,
): Promise<readonly string[] | undefined> {
  const { ids } = await selectRow<{ readonly ids: readonly string[] | null }>(
    tx,
    `select credit_rollout.list_updated_keys(:from::timestamptz, :past::timestamptz,
       :at::timestamptz + interval '1 minute')::text[] as ids`,
    { from, past, at },
  );
  return ids ?? undefined;
}

/**
 * Measures one search on the source, in ms; null: the feed does not find edits by updated_at. Raises 57014 where it
 * takes longer than the limit. What the code of a view does meanwhile is undone.
 */
export async function measureSearch(tx: CellTransaction, limitMs: number): Promise<number | null> {
  const { searches } = await selectRow<{ readonly searches: boolean }>(
    tx,
    `select to_regproc('credit_rollout.measure_look') is not null
       and to_regproc('credit_rollout.note_changed_orgs') is null as searches`,
  );
  if (!searches) return null;
  await execute(tx, `set local statement_timeout = ${Math.trunc(limitMs)}`);
  const { took } = await selectRowAndUndo<{ readonly took: number }>(
    tx,
    'select credit_rollout.measure_look() as took',
  );
  return took;
}

/** What one search takes, in ms; the workers write theirs over it. */
export async function saveLookMs(tx: CellTransaction, ms: number | null): Promise<void> {
  await execute(tx, 'update credit_rollout.feed set look_ms = :ms::real', { ms });
}

/** The end of a reading; not written every second while nothing happens. */
export async function saveReading(
  tx: CellTransaction,
  reading: Pick<Reading, 'next' | 'openThen'>,
  { at, lookMs, when }: { readonly at: string; readonly lookMs: number | null; readonly when: 'now' | 'seldom' },
): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.feed
     set read_from = :next::timestamptz, read_at = :at::timestamptz, open_then = :open_then::jsonb,
       look_ms = coalesce(:look_ms::real, look_ms), changed_at = clock_timestamp()
     where :now::boolean or read_at is null or read_at < :at::timestamptz - interval '5 seconds'`,
    { next: reading.next, at, open_then: reading.openThen, look_ms: lookMs, now: when === 'now' },
  );
}

/** Up to here nothing is listed again. */
export async function saveReadPast(tx: CellTransaction, past: string): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.feed
     set read_past = greatest(read_past, :past::timestamptz), changed_at = clock_timestamp()`,
    { past },
  );
}

/**
 * What was updated between these instants is read by id: from the beginning, and once more from there where a reading
 * is under way, which has passed orgs that were updated again.
 */
export async function addBulk(
  tx: CellTransaction,
  bulk: { readonly from: string; readonly to: string },
): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.feed
     set bulk_again_from = case when bulk_after is not null then least(bulk_again_from, :from::timestamptz) end,
       bulk_from = least(bulk_from, :from::timestamptz), bulk_to = greatest(bulk_to, :to::timestamptz),
       changed_at = clock_timestamp()`,
    bulk,
  );
}

/** Orgs that one page of a reading by id passes at most, whether they were updated or not. */
const PASSED = 10_000;

// the bound is left out, and not null, so that the index of the source gives the order
const after = (id: string | null): string => (id === null ? '' : 'where org_id > :after::credit_rollout.org_id');

export interface BulkPage {
  readonly orgIds: readonly string[];
  /** Up to this org everything is read; null: nothing is left. */
  readonly last: string | null;
}

/** A page costs what it passes. */
async function readBulkUpdated(tx: CellTransaction, limit: number): Promise<BulkPage> {
  const { bulkAfter, ...between } = await selectRow<{
    readonly bulkAfter: string | null;
    readonly from: string | null;
    readonly to: string | null;
  }>(tx, 'select bulk_after::text, bulk_from::text as "from", bulk_to::text as "to" from credit_rollout.feed');
  const passed = `select org_id, updated_at from credit_rollout.source_updates ${after(bulkAfter)} order by org_id`;
  const values = bulkAfter === null ? {} : { after: bulkAfter };
  // the inner limit is for where few of many were updated; the outer one stops it where all were
  const found = await selectRows<{ readonly id: string }>(
    tx,
    `select s.org_id::text as id from (${passed} limit ${PASSED}) s
     where s.updated_at between :from::timestamptz and :to::timestamptz
     order by s.org_id limit :limit`,
    { ...values, ...between, limit },
  );
  const orgIds = found.map(({ id }) => id);
  if (orgIds.length === limit) return { orgIds, last: orgIds.at(-1) ?? null };
  const end = await findRow<{ readonly id: string }>(
    tx,
    `select org_id::text as id from (${passed} offset ${PASSED - 1} limit 1) s`,
    values,
  );
  return { orgIds, last: end?.id ?? null };
}

/**
 * The next page by id of what was updated between the instants of the bulk. `careful`: some org stops that, so the page
 * may have orgs that were not updated.
 */
export async function readBulkPage(tx: CellTransaction, limit: number, mode: SourceReadMode): Promise<BulkPage> {
  if (mode === 'quick') return readBulkUpdated(tx, limit);
  try {
    return await tx.transaction((nested) => readBulkUpdated(nested, limit));
  } catch (error) {
    if (!isRowFailure(error)) throw error;
    const { after: lowerId } = await selectRow<{ readonly after: string | null }>(
      tx,
      'select bulk_after::text as after from credit_rollout.feed',
    );
    const upperId = await findSourceRangeEnd(tx, lowerId, { size: limit, mode });
    const orgIds = (await listIds(tx, { lowerId, upperId })).filter((id) => id !== lowerId);
    return { orgIds, last: upperId === null ? null : (orgIds.at(-1) ?? upperId) };
  }
}

/**
 * True: something is left. `last` null: the reading by id has ended, and begins again where orgs that it had passed
 * were updated meanwhile.
 */
export async function saveBulkPage(tx: CellTransaction, { last }: Pick<BulkPage, 'last'>): Promise<boolean> {
  const { left } = await selectRow<{ readonly left: boolean }>(
    tx,
    last === null
      ? `update credit_rollout.feed
         set bulk_from = bulk_again_from, bulk_to = case when bulk_again_from is not null then bulk_to end,
           bulk_after = null, bulk_again_from = null, changed_at = clock_timestamp()
         returning bulk_from is not null as left`
      : `update credit_rollout.feed
         set bulk_after = :last::credit_rollout.org_id, changed_at = clock_timestamp()
         returning true as left`,
    last === null ? {} : { last },
  );
  return left;
}

/** A reading by id that takes too long is tried again, but not after a day: the nightly run has found what is left. */
export async function dropOldBulk(tx: CellTransaction): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.feed
     set bulk_from = null, bulk_to = null, bulk_after = null, bulk_again_from = null
     where bulk_to < clock_timestamp() - interval '1 day'`,
  );
}
