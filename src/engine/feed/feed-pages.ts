// The pages of the change feed, each one transaction: a search by updated_at, recorded edits, and orgs by their ids.
// Each asks under the fence's lock whether it may write, and keeps in the cell how far it came.
import { MAX_LISTED, sortEdits, type UpdatedOrg } from '../../domain/feed/sort-edits.js';
import type { Clock } from '../../kernel/clock.js';
import { lockFenceShared } from '../../stores/cell/batch/fence.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { countRaised, type Feed, type LockedFeed, lockFeed, saveFeedFailure } from '../../stores/cell/feed/feed.js';
import { isQueueFull, markEditsRead, queueEdits, takeRecordedEdits } from '../../stores/cell/feed/recorded-edits.js';
import {
  addBulk,
  beginReading,
  listUpdated,
  listUpdatedKeys,
  type Reading,
  readBulkPage,
  saveBulkPage,
  saveReading,
  saveReadPast,
} from '../../stores/cell/feed/updated-orgs.js';
import { classifyFailure, isRowFailure } from '../../stores/postgres-failure.js';
import { raiseOrgs } from './raise-orgs.js';

/** Edits cannot be seen in this cell, nothing may be written now, or another worker reads. */
export class FeedStopped extends Error {
  constructor(readonly kind: 'off' | 'closed' | 'busy') {
    super(kind);
  }
}

/** Finding the orgs took too long, by their updated_at or by their ids: no org of the page causes that. */
export class SearchTooSlow extends Error {
  constructor(
    readonly what: 'updates' | 'bulk',
    cause: unknown,
  ) {
    super('too slow', { cause });
  }
}

export interface FeedPage {
  /** Edits that were read, and orgs that were raised. */
  readonly read: number;
  readonly raised: number;
  /** How long deciding them took. */
  readonly tookMs: number;
  /** Recorded edits wait, and orgs that are read by id. */
  readonly queued: boolean;
  readonly bulk: boolean;
}

interface PageOptions {
  /** Orgs that are decided at most. */
  readonly limit: number;
  /**
   * `raise`: lets the rule raise them; `queue`: they wait among the recorded edits, where the one that stops them is
   * found; `skip`: leaves them to the nightly run.
   */
  readonly act: 'raise' | 'queue' | 'skip';
}

/** Throws FeedStopped. */
async function openFeed(tx: CellTransaction, when: 'rested' | 'at_once'): Promise<LockedFeed> {
  await lockFenceShared(tx);
  const feed = await lockFeed(tx, when);
  if (!feed.attached || feed.by === null) throw new FeedStopped('off');
  if (!feed.open) throw new FeedStopped('closed');
  return feed;
}

/** Throws FeedStopped where another worker reads. */
function assertLocked({ locked }: LockedFeed): void {
  if (!locked) throw new FeedStopped('busy');
}

/** Throws FeedStopped. */
async function enterFeed(tx: CellTransaction): Promise<Feed> {
  const feed = await openFeed(tx, 'at_once');
  assertLocked(feed);
  return feed;
}

/** What a page needs of a worker. */
export interface PageContext {
  readonly cell: CellDatabase;
  readonly clock: Clock;
}

const startTimer = (clock: Clock): (() => number) => {
  const began = clock.now().getTime();
  return () => clock.now().getTime() - began;
};

async function raise(
  { clock }: PageContext,
  tx: CellTransaction,
  { decide }: Feed,
  orgIds: readonly string[],
): Promise<Pick<FeedPage, 'raised' | 'tookMs'>> {
  const readTime = startTimer(clock);
  const raised = await raiseOrgs(tx, { orgIds, by: decide });
  if (raised > 0) await countRaised(tx, raised);
  return { raised, tookMs: readTime() };
}

/** What a search saw of the feed, and its page; `rests`: it has not rested enough, and nothing was read. */
export type Search = { readonly feed: Feed } & (
  | { readonly kind: 'read'; readonly page: FeedPage }
  | { readonly kind: 'rests' }
);

/** One transaction, since most searches find nothing: who has rested enough searches, and who is told to, `at_once`. */
export function searchFeed(context: PageContext, when: 'rested' | 'at_once'): Promise<Search> {
  return context.cell.inTransaction('worker', async (tx) => {
    const feed = await openFeed(tx, when);
    if (when === 'rested' && feed.restMs > 0) return { kind: 'rests', feed };
    assertLocked(feed);
    const options = { limit: feed.pageSize, act: 'raise' } as const;
    const page =
      feed.by === 'triggers'
        ? await takeQueue(context, tx, feed, { ...options, from: 'newest' })
        : await takeUpdates(context, tx, feed, options);
    return { kind: 'read', feed, page };
  });
}

/** The orgs that were updated since the last search. What is not decided at once waits, or is read by id. */
export function readUpdates(context: PageContext, options: PageOptions): Promise<FeedPage> {
  return context.cell.inTransaction('worker', async (tx) => takeUpdates(context, tx, await enterFeed(tx), options));
}

async function takeUpdates(
  context: PageContext,
  tx: CellTransaction,
  feed: Feed,
  { limit, act }: PageOptions,
): Promise<FeedPage> {
  const reading = await beginReading(tx, feed.at);
  const readTime = startTimer(context.clock);
  const found = await listUpdates(tx, reading, { at: feed.at, act });
  if (found.kind === 'keys') return queueKeys(tx, feed, reading, { ids: found.ids, lookMs: readTime() });
  const { orgs } = found;
  const lookMs = readTime();
  const queue = orgs.length > limit && (await isQueueFull(tx)) ? 'full' : 'open';
  const { first, queued, bulk, readPast } = sortEdits(orgs, { pageSize: limit, queue });
  const page = act === 'raise' ? await raise(context, tx, feed, first) : { raised: 0, tookMs: 0 };
  // the newest last: they are taken first
  await queueEdits(tx, act === 'queue' ? [...queued, ...first] : queued);
  if (bulk !== null) await addBulk(tx, { from: bulk.from ?? reading.from, to: bulk.to });
  if (readPast !== null) await saveReadPast(tx, readPast);
  const when = orgs.length > 0 || reading.ended ? 'now' : 'seldom';
  await saveReading(tx, reading, { at: feed.at, lookMs, when });
  if (feed.failure !== null) await saveFeedFailure(tx, null);
  return {
    ...page,
    read: orgs.length,
    queued: feed.queued || queued.length > 0 || act === 'queue',
    bulk: feed.bulk || bulk !== null,
  };
}

type Listed =
  | { readonly kind: 'orgs'; readonly orgs: readonly UpdatedOrg[] }
  /** The view fails for one of them, whatever is read of it. */
  | { readonly kind: 'keys'; readonly ids: readonly string[] };

// `init` and `doctor` measure the same statement
async function listUpdates(
  tx: CellTransaction,
  reading: Reading,
  { at, act }: Pick<PageOptions, 'act'> & { readonly at: string },
): Promise<Listed> {
  const list = (of: CellTransaction): Promise<readonly UpdatedOrg[]> =>
    listUpdated(of, reading, { at, limit: MAX_LISTED + 1 });
  try {
    // where an org stops the search, one that fails must not end the transaction
    return { kind: 'orgs', orgs: await (act === 'queue' ? tx.transaction(list) : list(tx)) };
  } catch (cause) {
    if (classifyFailure(cause).kind === 'too_slow' && !isRowFailure(cause)) throw new SearchTooSlow('updates', cause);
    const ids = act === 'queue' && isRowFailure(cause) ? await listUpdatedKeys(tx, reading, at) : undefined;
    if (ids === undefined) throw cause;
    return { kind: 'keys', ids };
  }
}

/** All of them wait among the recorded edits, where the one that fails is found. */
async function queueKeys(
  tx: CellTransaction,
  feed: Feed,
  reading: Reading,
  { ids, lookMs }: { readonly ids: readonly string[]; readonly lookMs: number },
): Promise<FeedPage> {
  await queueEdits(tx, ids);
  await saveReading(tx, reading, { at: feed.at, lookMs, when: 'now' });
  if (feed.failure !== null) await saveFeedFailure(tx, null);
  return { raised: 0, tookMs: 0, read: ids.length, queued: true, bulk: feed.bulk };
}

type QueueOptions = PageOptions & { readonly from: 'newest' | 'oldest' };

/** Recorded edits; a page that was full is taken to leave others. */
export function readQueue(context: PageContext, options: QueueOptions): Promise<FeedPage> {
  return context.cell.inTransaction('worker', async (tx) => takeQueue(context, tx, await enterFeed(tx), options));
}

async function takeQueue(
  context: PageContext,
  tx: CellTransaction,
  feed: Feed,
  { limit, act, from }: QueueOptions,
): Promise<FeedPage> {
  const { edits, orgIds, lags } = await takeRecordedEdits(tx, { limit, from });
  const page = act === 'raise' ? await raise(context, tx, feed, orgIds) : { raised: 0, tookMs: 0 };
  const queued = edits === limit;
  if (!queued && feed.by === 'triggers') {
    if (lags) await markEditsRead(tx);
    if (feed.failure !== null) await saveFeedFailure(tx, null);
  }
  return { ...page, read: edits, queued, bulk: feed.bulk };
}

/** The next page by id of what was touched in bulk. */
export function readBulk(context: PageContext, { limit, act }: PageOptions): Promise<FeedPage> {
  return context.cell.inTransaction('worker', async (tx) => {
    const feed = await enterFeed(tx);
    if (!feed.bulk) return { read: 0, raised: 0, tookMs: 0, queued: feed.queued, bulk: false };
    const { orgIds, last } = await readBulkPage(tx, limit, act === 'queue' ? 'careful' : 'quick').catch(
      (cause: unknown) => {
        throw classifyFailure(cause).kind === 'too_slow' ? new SearchTooSlow('bulk', cause) : cause;
      },
    );
    const page = act === 'raise' ? await raise(context, tx, feed, orgIds) : { raised: 0, tookMs: 0 };
    if (act === 'queue') await queueEdits(tx, orgIds);
    const bulk = await saveBulkPage(tx, { last });
    return { ...page, read: orgIds.length, queued: feed.queued || act === 'queue', bulk };
  });
}
