// The change feed: reads which orgs were edited and lets the rule raise them, under the shared fence lock and only
// while single writes are allowed. What was edited last goes first; what waits is read page by page, and between pages
// the feed rests, whichever process reads. Edits that it misses or cannot decide are left to the nightly run.
import {
  decideBacklogRest,
  decidePageSize,
  decideRest,
  FEED_INTERVAL_MS,
  FEED_OFF_MS,
} from '../../domain/feed/decide-pace.js';
import { type Feed, readFeed, saveFeedFailure, savePace } from '../../stores/cell/feed/feed.js';
import { beginReading, dropOldBulk, saveReading } from '../../stores/cell/feed/updated-orgs.js';
import { classifyFailure, type FailureKind, isRowFailure } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import {
  type FeedPage,
  FeedStopped,
  type PageContext,
  readBulk,
  readQueue,
  readUpdates,
  SearchTooSlow,
  searchFeed,
} from './feed-pages.js';

export interface FeedOutcome {
  /**
   * `read`: what was due is read; `off`: edits cannot be seen in this cell; `closed`: single writes are not allowed
   * now; `busy`: another worker reads, or a lock is held; `failed`: see `failure`.
   */
  readonly kind: 'read' | 'off' | 'closed' | 'busy' | 'failed';
  /** Edits that were read, and orgs that were raised. */
  readonly read: number;
  readonly raised: number;
  /** SQLSTATE or kind of the error. */
  readonly failure?: string;
  /** Until the next run, in ms. */
  readonly pauseMs: number;
}

export interface FeedOptions {
  /** `rests`: a page of what is due, as in a worker; `at_once`: everything that waits, without a rest. */
  readonly pace: 'rests' | 'at_once';
}

/** Pages shrink to a tenth until the org is found that stops them. */
const DIVISOR = 10;
/** Errors that orgs of the page cause: trying again does not help. */
const CAUSED_BY_ORGS: readonly FailureKind[] = ['too_slow', 'rule_broken'];

/** Never throws an error of a database. */
export async function feedChanges(
  { cells, clock, log }: WorkerContext,
  dataCenter: string,
  { pace }: FeedOptions,
): Promise<FeedOutcome> {
  const context: FeedContext = { cell: cells.get(dataCenter), clock, log };
  const total = { read: 0, raised: 0 };
  const began = clock.now().getTime();
  try {
    let run = await searchOnce(context, pace);
    for (;;) {
      total.read += run.read;
      total.raised += run.raised;
      if (pace === 'rests' || !run.more) return { kind: 'read', ...total, pauseMs: run.pauseMs };
      run = await readOn(context, run.left);
    }
  } catch (error) {
    if (error instanceof FeedStopped)
      return { kind: error.kind, ...total, pauseMs: error.kind === 'off' ? FEED_OFF_MS : FEED_INTERVAL_MS };
    return { ...(await recordFailure(context, error, clock.now().getTime() - began)), ...total };
  }
}

type FeedContext = PageContext & Pick<WorkerContext, 'log'>;
type Run = Pick<FeedOutcome, 'read' | 'raised' | 'pauseMs'> & {
  /** Something waits. */
  readonly more: boolean;
  readonly left: Taken;
};

/** A page, and how many orgs the next one decides. */
type Taken = Omit<FeedPage, 'tookMs'> & { readonly pageSize: number };

/** A search, and a page of what waits, each where it has rested enough or is not to rest. */
async function searchOnce(context: FeedContext, pace: FeedOptions['pace']): Promise<Run> {
  const { taken: found, tookMs } = await timed(context, () => readNewest(context, pace));
  const { feed, newest } = found;
  const left = newest ?? { ...feed, read: 0, raised: 0 };
  const waits = left.queued || left.bulk;
  const goesOn = waits && (pace === 'at_once' || feed.backlogRestMs === 0);
  const backlog = goesOn ? await timed(context, () => readBacklog(context, left)) : undefined;
  const after = backlog?.taken ?? left;
  const rest = {
    pageSize: after.pageSize,
    restMs: newest && decideRest(tookMs, { raised: newest.raised, bulk: left.bulk }),
    backlogRestMs: backlog && decideBacklogRest(backlog.tookMs),
  };
  const { restMs = feed.restMs, backlogRestMs = feed.backlogRestMs } = rest;
  // the shortest rest is everybody's, and need not be written every second
  const isKept = restMs > FEED_INTERVAL_MS || backlog !== undefined || rest.pageSize !== feed.pageSize;
  if (pace === 'rests' && isKept) await context.cell.inTransaction('worker', (tx) => savePace(tx, rest));
  return {
    read: (newest?.read ?? 0) + (backlog?.taken.read ?? 0),
    raised: (newest?.raised ?? 0) + (backlog?.taken.raised ?? 0),
    more: after.queued || after.bulk,
    left: after,
    pauseMs: Math.max(FEED_INTERVAL_MS, waits ? Math.min(restMs, backlogRestMs) : restMs),
  };
}

/** The next page of what waits, without a rest. */
async function readOn(context: FeedContext, before: Taken): Promise<Run> {
  const left = await readBacklog(context, before);
  return { ...left, more: left.queued || left.bulk, left, pauseMs: FEED_INTERVAL_MS };
}

async function timed<T>(
  { clock }: FeedContext,
  read: () => Promise<T>,
): Promise<{ readonly taken: T; readonly tookMs: number }> {
  const began = clock.now().getTime();
  const taken = await read();
  return { taken, tookMs: clock.now().getTime() - began };
}

/** `newest` undefined: the feed rests. */
interface Newest {
  readonly feed: Feed;
  readonly newest: Taken | undefined;
}

/** A search by updated_at, and the newest of what is recorded; where an org stops it, as `takeBulk`. */
async function readNewest(context: FeedContext, pace: FeedOptions['pace']): Promise<Newest> {
  try {
    const search = await searchFeed(context, pace === 'rests' ? 'rested' : 'at_once');
    const { feed } = search;
    if (search.kind === 'rests') return { feed, newest: undefined };
    const taken = toTaken(search.page, feed.pageSize);
    return { feed, newest: feed.by === 'triggers' ? taken : await addQueued(context, feed, taken) };
  } catch (error) {
    if (!isCausedByOrgs(error)) throw error;
    const feed = await context.cell.inTransaction('worker', readFeed);
    const limit = feed.pageSize;
    if (feed.by === 'triggers')
      return { feed, newest: await takeQueued(context, Math.ceil(limit / DIVISOR), 'newest') };
    return {
      feed,
      newest: await addQueued(context, feed, toTaken(await readUpdates(context, { limit, act: 'queue' }), limit)),
    };
  }
}

async function addQueued(context: FeedContext, feed: Feed, updates: Taken): Promise<Taken> {
  if (!feed.queued) return updates;
  const queue = await takeQueued(context, updates.pageSize, 'newest');
  return { ...queue, read: updates.read + queue.read, raised: updates.raised + queue.raised };
}

/** The oldest of what is recorded; then a page by id. */
const readBacklog = (context: FeedContext, { queued, pageSize }: Taken): Promise<Taken> =>
  queued ? takeQueued(context, pageSize, 'oldest') : takeBulk(context, pageSize);

const toTaken = ({ tookMs, ...page }: FeedPage, limit: number): Taken => ({
  ...page,
  pageSize: decidePageSize(limit, page.read, tookMs),
});

const isCausedByOrgs = (error: unknown): boolean =>
  !(error instanceof SearchTooSlow) && (isRowFailure(error) || CAUSED_BY_ORGS.includes(classifyFailure(error).kind));

/** Where one of its orgs stops it, they are recorded: smaller pages of them find the one. */
async function takeBulk(context: FeedContext, limit: number): Promise<Taken> {
  try {
    return toTaken(await readBulk(context, { limit, act: 'raise' }), limit);
  } catch (error) {
    if (!isCausedByOrgs(error)) throw error;
    return toTaken(await readBulk(context, { limit, act: 'queue' }), limit);
  }
}

/** Where one of its orgs stops it, smaller pages, down to the org, which is skipped. */
async function takeQueued(context: FeedContext, pageSize: number, from: 'newest' | 'oldest'): Promise<Taken> {
  for (let limit = pageSize; ; limit = Math.ceil(limit / DIVISOR)) {
    try {
      return toTaken(await readQueue(context, { limit, from, act: 'raise' }), limit);
    } catch (error) {
      if (!isCausedByOrgs(error)) throw error;
      if (limit > 1) continue;
      const { sqlstate, ours } = classifyFailure(error);
      context.log.warn('feed_org_skipped', { data_center: context.cell.dataCenter, sqlstate, object: ours });
      return toTaken(await readQueue(context, { limit, from, act: 'skip' }), limit);
    }
  }
}

/** Records the code for doctor. Edits that cannot be found in time are skipped, and left to the nightly run. */
async function recordFailure(
  { cell }: FeedContext,
  error: unknown,
  tookMs: number,
): Promise<Pick<FeedOutcome, 'kind' | 'failure' | 'pauseMs'>> {
  const slow = error instanceof SearchTooSlow ? error : undefined;
  const { kind, sqlstate } = classifyFailure(slow?.cause ?? error);
  const failure = slow === undefined ? (sqlstate ?? kind) : 'too_slow';
  // a lock, a cut connection: the next run is soon
  if (kind === 'retry') return { kind: 'busy', failure, pauseMs: FEED_INTERVAL_MS };
  const restMs = decideRest(tookMs, { raised: 0, bulk: false });
  await cell
    .inTransaction('worker', async (tx) => {
      await saveFeedFailure(tx, failure);
      const { at, pageSize } = await readFeed(tx);
      await savePace(tx, { pageSize, restMs, backlogRestMs: restMs });
      if (slow?.what === 'bulk') await dropOldBulk(tx);
      if (slow?.what !== 'updates') return;
      const { openThen } = await beginReading(tx, at);
      await saveReading(tx, { next: at, openThen }, { at, lookMs: tookMs, when: 'now' });
    })
    .catch(() => undefined);
  return { kind: 'failed', failure, pauseMs: restMs };
}
