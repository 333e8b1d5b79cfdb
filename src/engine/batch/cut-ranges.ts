// Cuts the open run's key ranges under the fence, some at a time, so that batches start before the last range is cut.
import { countFreeLanes, insertFirstRanges, insertRanges } from '../../stores/cell/batch/batches.js';
import { lockFenceShared, readFence } from '../../stores/cell/batch/fence.js';
import { findRun } from '../../stores/cell/batch/runs.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import { failRun } from './run-fence.js';

/** Ranges per transaction: few at first, so that batches begin at once; then about 500,000 orgs at the default size. */
const FIRST = 8;
const MOST = 50;
/** Longest that cutting may hold up the opening of a fence, in ms. */
const OPENING_MS = 500;

export interface CutOptions {
  readonly dataCenter: string;
  readonly epoch: bigint;
  readonly signal?: AbortSignal;
}

/**
 * A range for each lane while the fence opens, so that lanes find work as they come. What hinders it is left to the
 * cutting job, which meets it again and tells.
 */
export async function cutFirstRanges(tx: CellTransaction, runId: bigint): Promise<void> {
  try {
    await tx.transaction((nested) => insertFirstRanges(nested, runId, OPENING_MS));
  } catch {
    // rolled back to the savepoint; of a connection that is gone the commit tells
  }
}

/** Cuts until the run is cut or the fence is no longer ours; rings for batches as soon as lanes stand idle. */
export async function cutRanges(context: WorkerContext, options: CutOptions): Promise<{ ranges: number }> {
  const cell = context.cells.get(options.dataCenter);
  let ranges = 0;
  let most = FIRST;
  while (!options.signal?.aborted) {
    const made = await cutChunk(context, options, most);
    if (made === 'too_slow' && most === 1) {
      await failRun(context, cell, options.epoch, 'source_too_slow');
      return { ranges };
    }
    most = made === 'too_slow' ? Math.ceil(most / 4) : most;
    if (made === 'too_slow') continue;
    if (made === undefined) return { ranges };
    ranges += made.ranges;
    // a lane at work finds what was cut by itself
    if (made.free > 0) await context.wakeUps.request(options.dataCenter, 'apply', options.epoch, made.lanes);
    if (made.cut) return { ranges };
    if (most === FIRST) most = MOST;
  }
  return { ranges };
}

interface Chunk {
  readonly ranges: number;
  readonly lanes: number;
  readonly free: number;
  readonly cut: boolean;
}

async function cutChunk(
  context: WorkerContext,
  { dataCenter, epoch }: CutOptions,
  most: number,
): Promise<Chunk | 'too_slow' | undefined> {
  try {
    return await context.cells.get(dataCenter).inTransaction('worker', async (tx) => {
      await lockFenceShared(tx);
      const fence = await readFence(tx);
      if (fence.state !== 'open' || fence.frozen || fence.epoch !== epoch || fence.runId === null) return undefined;
      const ranges = await insertRanges(tx, fence.runId, most);
      const run = await findRun(tx, fence.runId);
      return run && { ranges, lanes: run.lanes, free: await countFreeLanes(tx, run.lanes), cut: run.cut };
    });
  } catch (error) {
    if (classifyFailure(error).kind === 'too_slow') return 'too_slow';
    throw error;
  }
}
