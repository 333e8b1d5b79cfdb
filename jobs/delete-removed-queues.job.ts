// Deletes the queues of data centers that were taken out. Runs in a scheduler every 4 s.
import type { EngineContext } from '../src/engine/context.js';
import { deleteRemovedQueues } from '../src/engine/setup/delete-removed-queues.js';
import type { Service } from './service.js';

const INTERVAL_MS = 4_000;

export function deleteRemovedQueuesService(context: Pick<EngineContext, 'control' | 'wakeUps'>): Service {
  const deleted = new Set<string>();
  return {
    name: 'delete_removed_queues',
    intervalMs: INTERVAL_MS,
    runOnce: async () => {
      await deleteRemovedQueues(context, deleted);
      return INTERVAL_MS;
    },
  };
}
