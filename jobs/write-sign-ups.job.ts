// Writes the allotments of sign-ups that are recorded and not written yet. Runs in a worker every second.
import type { WorkerContext } from '../src/engine/context.js';
import { writeSignUps } from '../src/engine/cutover/write-sign-ups.js';
import type { Service } from './service.js';

const INTERVAL_MS = 1_000;

export function writeSignUpsService(context: WorkerContext, dataCenter: string): Service {
  const log = context.log.child({ data_center: dataCenter });
  return {
    name: 'write_sign_ups',
    intervalMs: INTERVAL_MS,
    runOnce: async () => {
      const { tried, written, failure, restMs } = await writeSignUps(context, dataCenter);
      if (tried > 0) log.info('sign_ups_written', { tried, written });
      if (failure !== null) log.warn('sign_ups_unread', { sqlstate: failure });
      // others may wait: at once, as long as it gets on and the source need not rest
      return written > 0 ? restMs : Math.max(INTERVAL_MS, restMs);
    },
  };
}
