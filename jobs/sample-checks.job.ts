// Measures the checks of a cell while work is open there. Every worker asks every 5 s, and one at a time measures.
import type { WorkerContext } from '../src/engine/context.js';
import { sampleCellChecks } from '../src/engine/worker/serve-cell.js';
import type { Service } from './service.js';

export const sampleChecksService = (context: WorkerContext, dataCenter: string): Service => ({
  name: 'sample_checks',
  intervalMs: 5_000,
  runOnce: async () => {
    await sampleCellChecks(context, dataCenter);
    return undefined;
  },
});
