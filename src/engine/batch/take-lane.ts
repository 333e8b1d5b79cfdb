// Whether a batch may begin now, as the checks say: the lane is taken in the cell, in the batch's own transaction.
import { restAfter } from '../../domain/checks/decide-throttle.js';
import { lockLane } from '../../stores/cell/batch/batches.js';
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

/** How long the newest work took, and how long ago it ended, in ms; undefined: there is none. */
export type FindNewest = () => Promise<{ readonly durationMs: number; readonly endedMs: number } | undefined>;

/** Takes a lane until the transaction ends. `findNewest`: what a lane rests after. */
export async function takeLane(
  tx: CellTransaction,
  { lanes, sampled }: CurrentThrottle,
  findNewest: FindNewest,
): Promise<LaneOutcome> {
  if (!sampled) return { kind: 'unsampled' };
  if (lanes === 0) return { kind: 'throttled' };
  if ((await lockLane(tx, Math.ceil(lanes))) === undefined) return { kind: 'no_lane' };
  if (lanes >= 1) return { kind: 'taken' };
  // after the lock: the batch before this one has ended, and is seen
  const newest = await findNewest();
  const ms = newest === undefined ? 0 : Math.ceil(restAfter(newest.durationMs, lanes) - Math.max(0, newest.endedMs));
  return ms > 0 ? { kind: 'rests', ms } : { kind: 'taken' };
}

/** While it works, a worker looks as often as this. */
const WORKING_EVERY_MS = 1_000;

/** Samples the checks where that is due, and logs what fails: call it after each batch. */
export function createSampler(context: WorkerContext, cell: CellDatabase): () => Promise<void> {
  let lookedAt = context.clock.now().getTime();
  return async () => {
    const now = context.clock.now().getTime();
    if (Math.abs(now - lookedAt) < WORKING_EVERY_MS) return;
    lookedAt = now;
    await sample(context, cell, WORKING_EVERY_MS);
  };
}

const sample = (context: WorkerContext, cell: CellDatabase, everyMs: number): Promise<boolean> =>
  sampleChecks(cell, everyMs).catch((error: unknown) => {
    context.log.debug('sample_failed', { data_center: cell.dataCenter, name: (error as Error | undefined)?.name });
    return false;
  });

/** Others do not sample for so long after one began to; it may be a worker that has died. */
const SAMPLE_EVERY_MS = 2_000;
const POLL_MS = 100;
const POLLS = 30;

/** Samples the checks, or waits for whoever does; false: nothing was found in time. Never throws for what fails. */
export async function awaitSample(context: WorkerContext, cell: CellDatabase, polls: number): Promise<boolean> {
  if (polls >= POLLS) return false;
  if (!(await sample(context, cell, SAMPLE_EVERY_MS))) await context.clock.sleep(POLL_MS);
  return true;
}
