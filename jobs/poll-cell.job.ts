// Reads in the cell what work is open there, and does it: a lost wake-up or a lost queue costs seconds, never work.
// Runs every 10 s in a worker, when no job came for that long.
import type { WorkerContext } from '../src/engine/context.js';
import { serveOpenWork } from '../src/engine/worker/serve-cell.js';
import type { CellActivity } from './cell-activity.js';
import type { Service } from './service.js';

export interface PolledCell {
  readonly dataCenter: string;
  readonly activity: CellActivity;
  /** In ms; 10,000 when left out. */
  readonly pollMs?: number | undefined;
}

export const pollCellService = (
  context: WorkerContext,
  { dataCenter, activity, pollMs = 10_000 }: PolledCell,
): Service => ({
  name: 'poll_cell',
  intervalMs: pollMs,
  runOnce: async (stopping) => {
    if (!activity.isSilentFor(pollMs)) return;
    try {
      await serveOpenWork(context, dataCenter, { signal: stopping, onProgress: activity.succeeded });
      activity.succeeded();
    } catch (error) {
      activity.failed(error);
      throw error;
    }
  },
});
