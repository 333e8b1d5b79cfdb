// How much the change feed reads at once, and how long it rests, so that the server stays free for the product. Pure.

/** Between two runs of the feed, in ms. */
export const FEED_INTERVAL_MS = 1_000;
/** Where edits cannot be seen: until an `init` changes that. */
export const FEED_OFF_MS = 10_000;
/** Reading takes a twentieth of the time at most, so that a source without an index is not read all the time. */
const SHARE = 20;
/** A search that raises may take more: the next edits are followed sooner, unless the product has just touched many. */
const BUSY_SHARE = 4;
/** Nobody needs these within seconds, and reading them may go on for hours beside the product. */
const BACKLOG_SHARE = 40;
const LONGEST_MS = 300_000;

/** After a search that took so long and raised so many, in ms; `bulk`: many orgs that were touched at once wait. */
export const decideRest = (
  tookMs: number,
  { raised, bulk }: { readonly raised: number; readonly bulk: boolean },
): number => limitRest(tookMs * (raised === 0 || bulk ? SHARE : BUSY_SHARE));

/** After a page of what waits. */
export const decideBacklogRest = (tookMs: number): number => limitRest(tookMs * BACKLOG_SHARE);

const limitRest = (ms: number): number => Math.round(Math.max(FEED_INTERVAL_MS, Math.min(LONGEST_MS, ms)));

/** Orgs in one transaction, far below the two seconds that one may take. */
const MAX_PAGE = 1_000;
const SLOW_MS = 500;
const QUICK_MS = 150;

/** The size of the next page, after one of so many orgs that took so long. */
export function decidePageSize(size: number, orgs: number, tookMs: number): number {
  if (tookMs > SLOW_MS) return Math.max(1, Math.floor(Math.min(size, orgs) / 2));
  return orgs >= size && tookMs < QUICK_MS ? Math.min(MAX_PAGE, size * 2) : size;
}

/** How soon a raise must follow. */
const FOLLOWED_MS = 5_000;

/** How long an edit waits to be found at most, in ms, where one search takes so long. */
export const longestWaitMs = (lookMs: number): number => lookMs + decideRest(lookMs, { raised: 0, bulk: false });

/** Whether raises follow within seconds where one search takes so long, in ms. */
export const isFollowed = (lookMs: number): boolean => longestWaitMs(lookMs) <= FOLLOWED_MS;
