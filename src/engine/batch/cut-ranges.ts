// Cuts the open run's key ranges under the fence, some at a time, so that batches start before the last range is cut.
import { countFreeLanes, insertFirstRanges, insertRanges } from '../../stores/cell/batch/batches.js';
import { lockFenceShared, readFence } from '../../stores/cell/batch/fence.js';
import { findRun } from '../../stores/cell/batch/runs.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import { failRun } from './run-fence.js';

/** Ranges per transaction: few at first, so that batches begin at once; then about 500,000 orgs at the default size. */
const FIRST_RANGES = 8;
const MAX_RANGES = 50;
/** Time-out of the first cut, which runs while a fence opens, in ms. */
const OPENING_MS = 500;

export interface CutOptions {
  readonly dataCenter: string;
  readonly epoch: bigint;
  readonly signal?: AbortSignal;
}

/**
 * Cuts a range for each lane while the fence opens, so that the lanes find work at once. Errors are left to the cutting
 * job.
 */
export async function cutFirstRanges(tx: CellTransaction, runId: bigint): Promise<void> {
  try {
    await tx.transaction((nested) => insertFirstRanges(nested, runId, OPENING_MS));
  } catch {
    // rolled back to the savepoint; where the connection is gone, the commit fails
  }
}

/** Cuts until the run is cut or the fence is no longer ours; requests batch jobs while lanes are idle. */
export async function cutRanges(context: WorkerContext, options: CutOptions): Promise<{ ranges: number }> {
  const cell = context.cells.get(options.dataCenter);
  let ranges = 0;
  let limit = FIRST_RANGES;
  while (!options.signal?.aborted) {
    const made = await cutChunk(context, options, limit);
    if (made === 'too_slow' && limit === 1) {
      await failRun(context, cell, options.epoch, 'source_too_slow');
      return { ranges };
    }
    if (made === 'too_slow') {
      limit = Math.ceil(limit / 4);
      continue;
    }
    if (made === undefined) return { ranges };
    ranges += made.ranges;
    // a lane that works finds the new ranges by itself
    if (made.free > 0) await context.wakeUps.request(options.dataCenter, 'apply', options.epoch, made.lanes);
    if (made.cut) return { ranges };
    if (limit === FIRST_RANGES) limit = MAX_RANGES;
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
  limit: number,
): Promise<Chunk | 'too_slow' | undefined> {
  try {
    return await context.cells.get(dataCenter).inTransaction('worker', async (tx) => {
      await lockFenceShared(tx);
      const fence = await readFence(tx);
      if (fence.state !== 'open' || fence.frozen || fence.epoch !== epoch || fence.runId === null) return undefined;
      const ranges = await insertRanges(tx, fence.runId, limit);
      const run = await findRun(tx, fence.runId);
      return run && { ranges, lanes: run.lanes, free: await countFreeLanes(tx, run.lanes), cut: run.cut };
    });
  } catch (error) {
    if (classifyFailure(error).kind === 'too_slow') return 'too_slow';
    throw error;
  }
}
