// Deletes the queues of data centers that were taken out. Runs in a scheduler every 4 s.
import type { EngineContext } from '../src/engine/context.js';
import { forgetRemoved } from '../src/engine/setup/forget-removed.js';
import type { Service } from './service.js';

const INTERVAL_MS = 4_000;

export function forgetRemovedService(context: Pick<EngineContext, 'control' | 'wakeUps'>): Service {
  const forgotten = new Set<string>();
  return {
    name: 'forget_removed',
    intervalMs: INTERVAL_MS,
    runOnce: async () => {
      await forgetRemoved(context, forgotten);
      return INTERVAL_MS;
    },
  };
}
