// A worker's heartbeat in its cell, with the code of its last error. Runs every 5 s in a worker.
import type { WorkerContext } from '../src/engine/context.js';
import { reportAlive } from '../src/engine/worker/serve-cell.js';
import type { CellActivity } from './cell-activity.js';
import type { Service } from './service.js';

export interface ReportedWorker {
  readonly dataCenter: string;
  readonly workerId: string;
  readonly activity: CellActivity;
}

export const reportAliveService = (
  context: WorkerContext,
  { dataCenter, workerId, activity }: ReportedWorker,
): Service => ({
  name: 'report_alive',
  intervalMs: 5_000,
  runOnce: async () => {
    await reportAlive(context, dataCenter, workerId, activity.lastError());
  },
});
