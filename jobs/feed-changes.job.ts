// The change feed of a cell: raises single orgs seconds after their edit. Runs in a worker every second; more seldom
// where edits cannot be seen, or where reading them takes long.
import type { WorkerContext } from '../src/engine/context.js';
import { feedChanges } from '../src/engine/feed/feed-changes.js';
import type { Service } from './service.js';

const INTERVAL_MS = 1_000;

export function feedService(context: WorkerContext, dataCenter: string): Service {
  const log = context.log.child({ data_center: dataCenter });
  return {
    name: 'feed_changes',
    intervalMs: INTERVAL_MS,
    runOnce: async () => {
      const { kind, read, raised, failure, pauseMs } = await feedChanges(context, dataCenter, { pace: 'rests' });
      if (raised > 0) log.info('feed_raised', { read, raised });
      if (kind === 'failed') log.debug('feed_failed', { code: failure });
      return pauseMs;
    },
  };
}
