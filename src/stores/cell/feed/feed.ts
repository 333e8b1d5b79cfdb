// The one row of the change feed: how edits are found, how far it has read, and until when it rests. Order matters: the
// fence's lock first, then `readFeed`, then the source; each in its own statement.
import { execute, selectRow } from '../../query.js';
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
  readonly failure: string | null;
  /** How long it still rests before the next search, and before the next page of what waits; in ms, 0: it does not. */
  readonly restMs: number;
  readonly backlogRestMs: number;
  /** Orgs in one transaction. */
  readonly pageSize: number;
  /** `keys`: org by org, which views take well; `list`: all at once, where one org takes as long as all of them. */
  readonly decide: DecideBy;
  /** Recorded edits wait. */
  readonly queued: boolean;
  /** Orgs wait to be read by id. */
  readonly bulk: boolean;
}

export type DecideBy = 'keys' | 'list';

/** Above this, one key does not reach the inside of a view, so that many orgs take no longer than one; in ms. */
const SLOW_ORG_MS = 50;

// never longer than a rest is, whatever the clock did meanwhile
const restMs = (column: string): string => `
  greatest(0, least(300000, coalesce(extract(epoch from r.${column} - clock_timestamp()) * 1000, 0)))::float8`;

type FeedRow = Omit<Feed, 'open'> & { readonly open: boolean | null };

const FEED = `
select clock_timestamp()::text as at, r.failure,
  f.state = 'closed' and f.single_writes and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
    and not ${FROZEN} as open,
  ${READS_SOURCE} as attached,
  case when to_regproc('credit_rollout.note_changed_orgs') is not null then 'triggers'
       when to_regclass('credit_rollout.source_updates') is not null then 'updates' end as by,
  ${restMs('rest_until')} as rest_ms, ${restMs('backlog_rest_until')} as backlog_rest_ms,
  r.page_size, case when coalesce(k.one_org_ms, 0) <= ${SLOW_ORG_MS} then 'keys' else 'list' end as decide,
  exists (select from credit_rollout.changed_orgs) as queued, r.bulk_from is not null as bulk
from credit_rollout.fence f cross join credit_rollout.feed r cross join credit_rollout.cell k`;

/** Needs the fence's lock, shared, where something is to be written after it. */
export async function readFeed(tx: CellTransaction): Promise<Feed> {
  const row = await selectRow<FeedRow>(tx, FEED);
  return { ...row, open: row.open ?? false };
}

/** `locked`: nobody else reads until the transaction ends; false: another worker does, or nothing may be read now. */
export type LockedFeed = Feed & { readonly locked: boolean };

/**
 * The same, and where something may be read now, becomes the one reader of the cell: a look that finds nothing costs
 * little but its round trips.
 */
export async function lockFeed(tx: CellTransaction, when: 'rested' | 'at_once'): Promise<LockedFeed> {
  const row = await selectRow<FeedRow & { readonly locked: boolean | null }>(
    tx,
    `select f.*, case when f.open and f.attached and f.by is not null and (:at_once or f.rest_ms <= 0)
       then pg_try_advisory_xact_lock(:lock_class, :lock) end as locked
     from (${FEED} offset 0) f`,
    { at_once: when === 'at_once', lock_class: LOCK_CLASS, lock: FEED_LOCK },
  );
  return { ...row, open: row.open ?? false, locked: row.locked ?? false };
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

export interface Pace {
  readonly pageSize: number;
  /** From now on, in ms; undefined: there was no search, or no page of what waits. */
  readonly restMs?: number | undefined;
  readonly backlogRestMs?: number | undefined;
}

/** For every process that reads this cell. */
export async function savePace(tx: CellTransaction, { pageSize, restMs: rest, backlogRestMs }: Pace): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.feed
     set page_size = :page_size,
       rest_until = coalesce(clock_timestamp() + make_interval(secs => :rest_ms::float8 / 1000), rest_until),
       backlog_rest_until =
         coalesce(clock_timestamp() + make_interval(secs => :backlog_rest_ms::float8 / 1000), backlog_rest_until),
       changed_at = clock_timestamp()`,
    { page_size: pageSize, rest_ms: rest ?? null, backlog_rest_ms: backlogRestMs ?? null },
  );
}

/** What people are shown of it; a scheduler may read no more. */
export interface FeedState {
  /** What finding edits by updated_at took last, in ms; null: it does not search there, or never did. */
  readonly lookMs: number | null;
  /** Code of the last failed attempt; null after a success. */
  readonly failure: string | null;
  /** Orgs that were updated in bulk are read by id, page by page. */
  readonly bulk: boolean;
}

export function readFeedState(tx: CellTransaction): Promise<FeedState> {
  return selectRow<FeedState>(tx, 'select look_ms, failure, bulk_from is not null as bulk from credit_rollout.feed');
}
