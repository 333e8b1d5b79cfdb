// Whether a batch may begin now, as the checks say: the lane is taken in the cell, in the batch's own transaction.
import { restAfter } from '../../domain/checks/decide-throttle.js';
import { lockLane } from '../../stores/cell/batch/batches.js';
import { findNewestBatch } from '../../stores/cell/batch/checks.js';
import type { CurrentThrottle } from '../../stores/cell/batch/open-run.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import type { WorkerContext } from '../context.js';
import { sampleChecks } from './sample-checks.js';

export type LaneOutcome =
  | { readonly kind: 'taken' }
  | { readonly kind: 'no_lane' }
  /** The checks allow nothing now. */
  | { readonly kind: 'throttled' }
  /** Nobody has sampled the checks for too long: that is due before anything is written. */
  | { readonly kind: 'unsampled' }
  /** One lane works a part of the time; it may go on after this, in ms. */
  | { readonly kind: 'rests'; readonly ms: number };

/** Takes a lane until the transaction ends. `runId`: whose newest batch a lane rests after; left out: none rests. */
export async function takeLane(
  tx: CellTransaction,
  { lanes, sampled }: CurrentThrottle,
  runId?: bigint,
): Promise<LaneOutcome> {
  if (!sampled) return { kind: 'unsampled' };
  if (lanes === 0) return { kind: 'throttled' };
  if ((await lockLane(tx, Math.ceil(lanes))) === undefined) return { kind: 'no_lane' };
  if (lanes >= 1 || runId === undefined) return { kind: 'taken' };
  // after the lock: the batch before this one has ended, and is seen
  const newest = await findNewestBatch(tx, runId);
  const ms = newest === undefined ? 0 : Math.ceil(restAfter(newest.durationMs, lanes) - Math.max(0, newest.endedMs));
  return ms > 0 ? { kind: 'rests', ms } : { kind: 'taken' };
}

/** Others do not sample for so long after one began to; it may be a worker that has died. */
const SAMPLE_EVERY_MS = 2_000;
const POLL_MS = 100;
const POLLS = 30;

/** Samples the checks, or waits for whoever does; false: nothing was found in time. Never throws for what fails. */
export async function awaitSample(context: WorkerContext, cell: CellDatabase, polls: number): Promise<boolean> {
  if (polls >= POLLS) return false;
  const sampled = await sampleChecks(cell, SAMPLE_EVERY_MS).catch((error: unknown) => {
    context.log.debug('sample_failed', { data_center: cell.dataCenter, name: (error as Error | undefined)?.name });
    return false;
  });
  if (!sampled) await context.clock.sleep(POLL_MS);
  return true;
}
