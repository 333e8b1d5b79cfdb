// Keeps the connections of a worker's lanes open and ready for the first batches of a run. Runs every 15 s in a worker,
// when no job came for that long: more often than the pool closes an idle connection.
import type { WorkerContext } from '../src/engine/context.js';
import { prewarmConnections } from '../src/engine/worker/prewarm-connections.js';
import type { CellActivity } from './cell-activity.js';
import type { Service } from './service.js';

const INTERVAL_MS = 15_000;

export interface PrewarmedCell {
  readonly dataCenter: string;
  readonly activity: CellActivity;
  readonly lanes: number;
}

export const prewarmService = (context: WorkerContext, { dataCenter, activity, lanes }: PrewarmedCell): Service => ({
  name: 'prewarm_connections',
  intervalMs: INTERVAL_MS,
  runOnce: async () => {
    if (activity.isSilentFor(INTERVAL_MS)) await prewarmConnections(context, dataCenter, lanes);
  },
});
