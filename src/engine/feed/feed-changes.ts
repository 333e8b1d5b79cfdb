// The change feed: reads which orgs were edited and lets the rule raise them, under the shared fence lock and only
// while single writes are allowed. Edits that it misses or cannot decide are left to the nightly run.
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
   * `read`: all edits are read; `off`: edits cannot be seen in this cell; `closed`: single writes are not allowed now;
   * `busy`: another worker reads, or a lock is held; `failed`: see `failure`.
   */
  readonly kind: 'read' | 'off' | 'closed' | 'busy' | 'failed';
  /** Edits that were read, and orgs that were raised. */
  readonly read: number;
  readonly raised: number;
  /** SQLSTATE or kind of the error. */
  readonly failure?: string;
}

/** Orgs in one transaction: far below the two seconds that one may take. */
const PAGE_SIZE = 1_000;
/** Pages shrink to a tenth until the org is found that stops them. */
const DIVISOR = 10;
/** Errors that orgs of the page cause: trying again does not help. */
const CAUSED_BY_ORGS: readonly FailureKind[] = ['bad_value', 'too_slow', 'rule_broken'];

/** How far the reading has come; without its parts: at the beginning. */
interface Place {
  readonly begun?: { readonly reading: Reading; readonly at: string };
  readonly after?: UpdatedOrg | undefined;
}

/** `skip`: reads without deciding, which leaves an org that cannot be read or decided to the nightly run. */
interface PageOptions extends Place {
  readonly limit: number;
  readonly then: 'raise' | 'skip';
}

type Page =
  | { readonly kind: 'off' | 'closed' | 'busy' }
  | {
      readonly kind: 'page';
      readonly read: number;
      readonly raised: number;
      readonly place: Place;
      readonly more: boolean;
    };

/** Finding the edits took too long: no org of the page causes that. */
class SearchTooSlow extends Error {}

/** Reads the edits that wait, page by page; ends early when `signal` aborts. Never throws an error of a database. */
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

/** One page; where one of its orgs stops it, smaller pages, down to the org, which is skipped. */
async function takePage({ log }: WorkerContext, cell: CellDatabase, place: Place): Promise<Page> {
  const take = (limit: number, then: PageOptions['then']): Promise<Page> =>
    cell.inTransaction('worker', (tx) => readPage(tx, { ...place, limit, then }));
  for (let limit = PAGE_SIZE; ; limit = Math.ceil(limit / DIVISOR)) {
    try {
      return await take(limit, 'raise');
    } catch (error) {
      const { kind, sqlstate, ours } = classifyFailure(error);
      if (!CAUSED_BY_ORGS.includes(kind)) throw error;
      if (limit > 1) continue;
      log.warn('feed_org_skipped', { data_center: cell.dataCenter, sqlstate, object: ours });
      return take(limit, 'skip');
    }
  }
}

async function readPage(tx: CellTransaction, options: PageOptions): Promise<Page> {
  await lockFenceShared(tx);
  const feed = await readFeed(tx);
  if (!feed.attached || feed.by === null) return { kind: 'off' };
  if (!feed.open) return { kind: 'closed' };
  if (!(await lockFeed(tx))) return { kind: 'busy' };
  const { orgIds, ...found } = await (feed.by === 'triggers'
    ? readRecordedEdits(tx, options)
    : readUpdates(tx, feed, options));
  const raised = options.then === 'raise' ? await raiseOrgs(tx, orgIds) : 0;
  if (raised > 0) await countRaised(tx, raised);
  if (!found.more && feed.failure !== null) await saveFeedFailure(tx, null);
  return { kind: 'page', raised, ...found };
}

type Found = Omit<Extract<Page, { kind: 'page' }>, 'raised'> & { readonly orgIds: readonly string[] };

async function readRecordedEdits(tx: CellTransaction, { limit }: PageOptions): Promise<Omit<Found, 'kind'>> {
  const { edits, orgIds } = await takeRecordedEdits(tx, limit);
  const more = edits === limit;
  if (!more) await markEditsRead(tx);
  return { read: edits, orgIds, more, place: {} };
}

async function readUpdates(
  tx: CellTransaction,
  feed: Feed,
  { begun, after, limit }: PageOptions,
): Promise<Omit<Found, 'kind'>> {
  const { reading, at } = begun ?? { reading: await beginReading(tx, feed.at), at: feed.at };
  const orgs = await listUpdated(tx, { from: reading.from, until: at, after, limit }).catch((cause) => {
    throw classifyFailure(cause).kind === 'too_slow' ? new SearchTooSlow('too slow', { cause }) : cause;
  });
  const more = orgs.length === limit;
  if (!more) await saveReading(tx, reading, at);
  const place = { begun: { reading, at }, after: orgs.at(-1) ?? after };
  return { read: orgs.length, orgIds: [...new Set(orgs.map(({ id }) => id))], more, place };
}

/** Records the code for doctor. Edits that cannot be found in time are skipped, and left to the nightly run. */
async function recordFailure(
  cell: CellDatabase,
  error: unknown,
): Promise<{ kind: 'busy' | 'failed'; failure: string }> {
  const slow = error instanceof SearchTooSlow;
  const { kind, sqlstate } = classifyFailure(slow ? error.cause : error);
  const failure = slow ? 'too_slow' : (sqlstate ?? kind);
  // a lock, a cut connection: the next run is soon
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
