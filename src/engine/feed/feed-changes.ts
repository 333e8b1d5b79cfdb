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
    for (let due: Due = pace === 'rests' ? 'rested' : 'all'; ; due = 'backlog') {
      const run = await runOnce(context, due);
      total.read += run.read;
      total.raised += run.raised;
      if (pace === 'rests' || !run.more) return { kind: 'read', ...total, pauseMs: run.pauseMs };
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
};

/** What is read: what has rested enough; all; or what waits, without a search. */
type Due = 'rested' | 'all' | 'backlog';

/** A page, and how many orgs the next one decides. */
type Taken = Omit<FeedPage, 'tookMs'> & { readonly pageSize: number };

async function runOnce(context: FeedContext, due: Due): Promise<Run> {
  const feed = await context.cell.inTransaction('worker', readFeed);
  if (!feed.attached || feed.by === null) throw new FeedStopped('off');
  if (!feed.open) throw new FeedStopped('closed');
  const before: Taken = { ...feed, read: 0, raised: 0 };
  const searches = due === 'all' || (due === 'rested' && feed.restMs === 0);
  const newest = searches ? await timed(context, () => readNewest(context, feed)) : undefined;
  const left = newest?.taken ?? before;
  const waits = left.queued || left.bulk;
  const goesOn = waits && (due !== 'rested' || feed.backlogRestMs === 0);
  const backlog = goesOn ? await timed(context, () => readBacklog(context, left)) : undefined;
  const rest = {
    pageSize: (backlog?.taken ?? left).pageSize,
    restMs: newest && decideRest(newest.tookMs, newest.taken.raised),
    backlogRestMs: backlog && decideBacklogRest(backlog.tookMs),
  };
  const { restMs = feed.restMs, backlogRestMs = feed.backlogRestMs } = rest;
  // the shortest rest is everybody's, and need not be written every second
  const isKept = restMs > FEED_INTERVAL_MS || backlog !== undefined || rest.pageSize !== feed.pageSize;
  if (due === 'rested' && isKept) await context.cell.inTransaction('worker', (tx) => savePace(tx, rest));
  const after = backlog?.taken ?? left;
  return {
    read: (newest?.taken.read ?? 0) + (backlog?.taken.read ?? 0),
    raised: (newest?.taken.raised ?? 0) + (backlog?.taken.raised ?? 0),
    more: after.queued || after.bulk,
    pauseMs: Math.max(FEED_INTERVAL_MS, waits ? Math.min(restMs, backlogRestMs) : restMs),
  };
}

async function timed(
  { clock }: FeedContext,
  read: () => Promise<Taken>,
): Promise<{ readonly taken: Taken; readonly tookMs: number }> {
  const began = clock.now().getTime();
  const taken = await read();
  return { taken, tookMs: clock.now().getTime() - began };
}

/** A search by updated_at, and the newest of what is recorded. */
async function readNewest(context: FeedContext, feed: Feed): Promise<Taken> {
  if (feed.by === 'triggers') return takeQueued(context, feed.pageSize, 'newest');
  const updates = await takePage(context, feed.pageSize, readUpdates);
  if (!feed.queued) return updates;
  const queue = await takeQueued(context, updates.pageSize, 'newest');
  return { ...queue, read: updates.read + queue.read, raised: updates.raised + queue.raised };
}

/** The oldest of what is recorded; then a page by id. */
const readBacklog = (context: FeedContext, { queued, pageSize }: Taken): Promise<Taken> =>
  queued ? takeQueued(context, pageSize, 'oldest') : takePage(context, pageSize, readBulk);

const toTaken = ({ tookMs, ...page }: FeedPage, limit: number): Taken => ({
  ...page,
  pageSize: decidePageSize(limit, page.read, tookMs),
});

const isCausedByOrgs = (error: unknown): boolean =>
  !(error instanceof SearchTooSlow) && (isRowFailure(error) || CAUSED_BY_ORGS.includes(classifyFailure(error).kind));

/** Where one of its orgs stops it, they are recorded: smaller pages of them find the one. */
async function takePage(
  context: FeedContext,
  limit: number,
  read: typeof readUpdates | typeof readBulk,
): Promise<Taken> {
  try {
    return toTaken(await read(context, { limit, act: 'raise' }), limit);
  } catch (error) {
    if (!isCausedByOrgs(error)) throw error;
    return toTaken(await read(context, { limit, act: 'queue' }), limit);
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
  const restMs = decideRest(tookMs, 0);
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
