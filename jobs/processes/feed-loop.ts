// The change feed's pulse in a worker: a look every second, seldom where there is nothing to look at or a look is dear.
import type { WorkerContext } from '../../src/engine/context.js';
import { type FeedOutcome, feedChanges } from '../../src/engine/feed/feed-changes.js';

const POLL_INTERVAL_MS = 1_000;
/** Where edits cannot be seen: until an `init` changes that. */
const OFF_MS = 10_000;
/** A look takes a twentieth of the time at most, so that a source without an index is not read for ever. */
const SHARE = 20;
const BUSY_SHARE = 4;
const LONGEST_MS = 300_000;

/** Looks until it is stopped; resolves then. Never rejects. */
export async function runFeed(context: WorkerContext, dataCenter: string, stopping: AbortSignal): Promise<void> {
  const log = context.log.child({ data_center: dataCenter });
  while (!stopping.aborted) {
    const began = context.clock.now().getTime();
    const outcome = await feedChanges(context, dataCenter, stopping).catch((error) => {
      log.debug('feed_lost', { name: (error as { name?: unknown }).name });
      return FAILED;
    });
    if (outcome.raised > 0) log.info('feed_raised', { read: outcome.read, raised: outcome.raised });
    if (outcome.kind === 'failed') log.debug('feed_failed', { code: outcome.failure });
    await context.clock.sleep(decidePause(outcome, context.clock.now().getTime() - began), stopping);
  }
}

const FAILED: FeedOutcome = { kind: 'failed', read: 0, raised: 0 };

/** Until the next look, in ms: a look in vain may be dear, one that raised something less so. */
function decidePause({ kind, raised }: FeedOutcome, tookMs: number): number {
  if (kind === 'off') return OFF_MS;
  const dear = kind === 'failed' || kind === 'read' ? tookMs * (raised === 0 ? SHARE : BUSY_SHARE) : 0;
  return Math.max(POLL_INTERVAL_MS, Math.min(LONGEST_MS, dear));
}
