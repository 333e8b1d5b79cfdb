// The change feed: reads which orgs were edited and lets the rule raise them, under the shared fence lock and only while
// single writes are allowed. Never the authority: what it misses, or cannot decide, is the night's.

import { lockFenceShared } from '../../stores/cell/batch/fence.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import {
  beginReading,
  countRaised,
  type Feed,
  listUpdated,
  lockFeed,
  markEditsRead,
  type Reading,
  readFeed,
  saveFeedFailure,
  saveReading,
  takeRecordedEdits,
  type UpdatedOrg,
} from '../../stores/cell/feed/feed.js';
import { classifyFailure, type FailureKind } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import { raiseOrgs } from './raise-orgs.js';

export interface FeedOutcome {
  /**
   * `read`: everything that was there; `off`: edits cannot be seen here; `shut`: single writes are not allowed now;
   * `busy`: another worker reads, or a lock was not to be had; `failed`: see `failure`.
   */
  readonly kind: 'read' | 'off' | 'shut' | 'busy' | 'failed';
  /** Edits that were looked at, and orgs that were raised. */
  readonly read: number;
  readonly raised: number;
  /** SQLSTATE or kind of what went wrong. */
  readonly failure?: string;
}

/** Orgs in one transaction: far below the two seconds that one may take. */
const MOST = 1_000;
/** An org that stops its page is looked for by pages of a tenth. */
const DIVISOR = 10;
/** What belongs to orgs of the page, not to the moment. */
const OF_ORGS: readonly FailureKind[] = ['bad_value', 'too_slow', 'rule_broken'];

/** How far a reading has come; undefined parts: at its beginning. */
interface Place {
  readonly begun?: { readonly reading: Reading; readonly at: string };
  readonly after?: UpdatedOrg | undefined;
}

/** `pass_by`: read without deciding, which leaves an org that cannot be read or decided to the night. */
interface PageOptions extends Place {
  readonly most: number;
  readonly then: 'raise' | 'pass_by';
}

type Page =
  | { readonly kind: 'off' | 'shut' | 'busy' }
  | {
      readonly kind: 'page';
      readonly read: number;
      readonly raised: number;
      readonly place: Place;
      readonly more: boolean;
    };

/** Looking for edits took too long: nothing of the page is to blame. */
class SearchTooSlow extends Error {}

/** Reads what waits, page by page; ends early when `signal` says so. Throws nothing that a database said. */
export async function feedChanges(
  context: WorkerContext,
  dataCenter: string,
  signal?: AbortSignal,
): Promise<FeedOutcome> {
  const cell = context.cells.get(dataCenter);
  const total = { read: 0, raised: 0 };
  try {
    for (let place: Place = {}, more = true; more && signal?.aborted !== true; ) {
      const page = await takePage(context, cell, place);
      if (page.kind !== 'page') return { kind: page.kind, ...total };
      total.read += page.read;
      total.raised += page.raised;
      ({ place, more } = page);
    }
    return { kind: 'read', ...total };
  } catch (error) {
    return { ...(await recordFailure(cell, error)), ...total };
  }
}

/** One page; where one of its orgs stops it, smaller ones, down to the org that is passed by. */
async function takePage({ log }: WorkerContext, cell: CellDatabase, place: Place): Promise<Page> {
  const take = (most: number, then: PageOptions['then']): Promise<Page> =>
    cell.inTransaction('worker', (tx) => readPage(tx, { ...place, most, then }));
  for (let most = MOST; ; most = Math.ceil(most / DIVISOR)) {
    try {
      return await take(most, 'raise');
    } catch (error) {
      const { kind, sqlstate, object } = classifyFailure(error);
      if (!OF_ORGS.includes(kind)) throw error;
      if (most > 1) continue;
      log.warn('feed_passed_by', { data_center: cell.dataCenter, sqlstate, object });
      return take(most, 'pass_by');
    }
  }
}

async function readPage(tx: CellTransaction, options: PageOptions): Promise<Page> {
  await lockFenceShared(tx);
  const feed = await readFeed(tx);
  if (!feed.attached || feed.by === null) return { kind: 'off' };
  if (!feed.open) return { kind: 'shut' };
  if (!(await lockFeed(tx))) return { kind: 'busy' };
  const { orgIds, ...found } = await (feed.by === 'triggers' ? readNotes(tx, options) : readUpdates(tx, feed, options));
  const raised = options.then === 'raise' ? await raiseOrgs(tx, orgIds) : 0;
  if (raised > 0) await countRaised(tx, raised);
  if (!found.more && feed.failure !== null) await saveFeedFailure(tx, null);
  return { kind: 'page', raised, ...found };
}

type Found = Omit<Extract<Page, { kind: 'page' }>, 'raised'> & { readonly orgIds: readonly string[] };

async function readNotes(tx: CellTransaction, { most }: PageOptions): Promise<Omit<Found, 'kind'>> {
  const { edits, orgIds } = await takeRecordedEdits(tx, most);
  const more = edits === most;
  if (!more) await markEditsRead(tx);
  return { read: edits, orgIds, more, place: {} };
}

async function readUpdates(
  tx: CellTransaction,
  feed: Feed,
  { begun, after, most }: PageOptions,
): Promise<Omit<Found, 'kind'>> {
  const { reading, at } = begun ?? { reading: await beginReading(tx, feed.at), at: feed.at };
  const orgs = await listUpdated(tx, { from: reading.from, until: at, after, limit: most }).catch((cause) => {
    throw classifyFailure(cause).kind === 'too_slow' ? new SearchTooSlow('too slow', { cause }) : cause;
  });
  const more = orgs.length === most;
  if (!more) await saveReading(tx, reading, at);
  const place = { begun: { reading, at }, after: orgs.at(-1) ?? after };
  return { read: orgs.length, orgIds: [...new Set(orgs.map(({ id }) => id))], more, place };
}

/** Remembers the code for doctor. Edits that cannot be found in time are given up, and left to the night. */
async function recordFailure(
  cell: CellDatabase,
  error: unknown,
): Promise<{ kind: 'busy' | 'failed'; failure: string }> {
  const slow = error instanceof SearchTooSlow;
  const { kind, sqlstate } = classifyFailure(slow ? error.cause : error);
  const failure = slow ? 'too_slow' : (sqlstate ?? kind);
  // a lock, a cut connection: the next look is soon
  if (kind === 'retry') return { kind: 'busy', failure };
  await cell
    .inTransaction('worker', async (tx) => {
      await saveFeedFailure(tx, failure);
      if (!slow) return;
      const { at } = await readFeed(tx);
      const { openThen } = await beginReading(tx, at);
      await saveReading(tx, { from: at, next: at, openThen }, at);
    })
    .catch(() => undefined);
  return { kind: 'failed', failure };
}
