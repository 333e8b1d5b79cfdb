// Cuts the open run's key ranges under the fence, some at a time, so that batches start before the last range is cut.
import { cutRanges as cutSome } from '../stores/cell/batches.js';
import { lockFenceShared, readFence } from '../stores/cell/fence.js';
import { findRun } from '../stores/cell/runs.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import type { WorkerContext } from './context.js';
import { failRun } from './fail-run.js';

/** Ranges per transaction: few at first, so that batches begin at once; then about 500,000 orgs at the default size. */
const FIRST = 8;
const MOST = 50;

export interface CutOptions {
  readonly dataCenter: string;
  readonly epoch: bigint;
  readonly signal?: AbortSignal;
}

/** Cuts until the run is cut or the fence is no longer ours; rings for batches as soon as there are some. */
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
    await context.bells.ring(options.dataCenter, 'apply', options.epoch, made.lanes);
    if (made.cut) return { ranges };
    if (most === FIRST) most = MOST;
  }
  return { ranges };
}

interface Chunk {
  readonly ranges: number;
  readonly lanes: number;
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
      const ranges = await cutSome(tx, fence.runId, most);
      const run = await findRun(tx, fence.runId);
      return run && { ranges, lanes: run.lanes, cut: run.cut };
    });
  } catch (error) {
    if (classifyFailure(error).kind === 'too_slow') return 'too_slow';
    throw error;
  }
}
