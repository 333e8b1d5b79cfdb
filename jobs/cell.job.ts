// The jobs of a data center's queue: plan, apply, verify, and detect, the search of a nightly run. Runs in a worker
// when a wake-up comes. Parses the message and calls one function of the engine; a malformed job, or one of another
// data center, is rejected.
import type { Job } from 'bullmq';
import type { WorkerContext } from '../src/engine/context.js';
import { type CellMessage, serveMessage } from '../src/engine/worker/serve-cell.js';

/** The message of a job of this data center; undefined for anything else. */
function parseCellMessage(data: unknown, dataCenter: string): CellMessage | undefined {
  const { dataCenter: named, epoch, kind } = (data ?? {}) as Readonly<Record<string, unknown>>;
  const known = kind === 'plan' || kind === 'apply' || kind === 'verify' || kind === 'detect';
  if (named !== dataCenter || !known || typeof epoch !== 'string' || !/^\d{1,18}$/u.test(epoch)) return undefined;
  return { dataCenter, epoch: BigInt(epoch), kind };
}

/**
 * Processor of one data center's queue; takes BullMQ's abort signal as its third parameter. `onProgress` is called
 * after each batch.
 */
export function createCellProcessor(context: WorkerContext, dataCenter: string, onProgress?: () => void) {
  return async (job: Job, _token: string | undefined, signal: AbortSignal | undefined): Promise<string> => {
    const message = parseCellMessage(job.data, dataCenter);
    if (message === undefined) {
      context.log.warn('job_rejected', { data_center: dataCenter });
      return 'rejected';
    }
    return serveMessage(context, message, { signal, onProgress });
  };
}
