// The change feed of a cell: raises single orgs seconds after their edit. Runs in a worker every second; more seldom
// where edits cannot be seen, or where reading them takes long.
import type { WorkerContext } from '../src/engine/context.js';
import { type FeedOutcome, feedChanges } from '../src/engine/feed/feed-changes.js';
import type { Service } from './service.js';

const INTERVAL_MS = 1_000;
/** Where edits cannot be seen: until an `init` changes that. */
const OFF_MS = 10_000;
/** A run takes a twentieth of the time at most, so that a source without an index is not read all the time. */
const SHARE = 20;
const BUSY_SHARE = 4;
const LONGEST_MS = 300_000;

export function feedService(context: WorkerContext, dataCenter: string): Service {
  const { clock } = context;
  const log = context.log.child({ data_center: dataCenter });
  return {
    name: 'feed_changes',
    intervalMs: INTERVAL_MS,
    runOnce: async (stopping) => {
      const began = clock.now().getTime();
      const outcome = await feedChanges(context, dataCenter, stopping).catch((error) => {
        log.debug('feed_lost', { name: (error as { name?: unknown }).name });
        return FAILED;
      });
      if (outcome.raised > 0) log.info('feed_raised', { read: outcome.read, raised: outcome.raised });
      if (outcome.kind === 'failed') log.debug('feed_failed', { code: outcome.failure });
      return decidePause(outcome, clock.now().getTime() - began);
    },
  };
}

const FAILED: FeedOutcome = { kind: 'failed', read: 0, raised: 0 };

/**
 * Until the next run, in ms: longer after one that took long, and longest after one that took long and raised nothing.
 */
function decidePause({ kind, raised }: FeedOutcome, tookMs: number): number {
  if (kind === 'off') return OFF_MS;
  const costly = kind === 'failed' || kind === 'read' ? tookMs * (raised === 0 ? SHARE : BUSY_SHARE) : 0;
  return Math.max(INTERVAL_MS, Math.min(LONGEST_MS, costly));
}
