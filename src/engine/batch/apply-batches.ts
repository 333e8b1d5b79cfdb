// Takes pending ranges of the open run until none is left: claim, write and checkpoint in one transaction each.
// The order inside `applyClaimed` is the protocol: fence, lane, batch row, allotments. Do not reorder.
import { retryWithBackoff } from '../../kernel/retry.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { type ClaimedBatch, claimBatch, completeBatch } from '../../stores/cell/batch/batches.js';
import { findNewestBatch } from '../../stores/cell/batch/checks.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { classifyFailure, type FailureKind, isRowFailure } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import { findBreach, requireFewQuarantined } from './breach.js';
import { enterFence, failRun } from './run-fence.js';
import { splitBatch } from './split-batch.js';
import { awaitSample, createSampler, type LaneOutcome, takeLane } from './take-lane.js';
import { CountsDiffer, PlanDiffers, type WriteStrategy, writeBatch } from './write-batch.js';

export type BatchOutcome =
  | { readonly kind: 'done'; readonly orgs: number }
  /** The fence is closed, under another epoch, or the cell's timeline changed: normal, the job ends. */
  | { readonly kind: 'fenced' }
  /** No lane is free, or the checks allow none now. */
  | Exclude<LaneOutcome, { readonly kind: 'taken' }>
  /** No batch is free to be claimed: other workers may still work on some. */
  | { readonly kind: 'nothing_pending' }
  | { readonly kind: 'split' }
  | { readonly kind: 'failed'; readonly code: string };

export interface ApplyOptions {
  readonly dataCenter: string;
  readonly epoch: bigint;
  /** No new batch is taken after this time, in ms. */
  readonly forMs: number;
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onProgress?: () => void;
}

/**
 * Takes batches until none is left, the time is over, or `signal` aborts; returns the last outcome and how many are
 * done.
 */
export async function applyBatches(
  context: WorkerContext,
  options: ApplyOptions,
): Promise<{ batches: number; last: BatchOutcome }> {
  const cell = context.cells.get(options.dataCenter);
  const until = context.clock.now().getTime() + options.forMs;
  const sampleIfDue = createSampler(context, cell);
  let batches = 0;
  let polls = 0;
  for (;;) {
    const last = await applyBatch(context, cell, options.epoch);
    if (last.kind === 'done') {
      batches += 1;
      options.onProgress?.();
    }
    await sampleIfDue();
    if (last.kind === 'rests') await context.clock.sleep(last.ms, options.signal);
    polls = last.kind === 'unsampled' ? polls + 1 : 0;
    if (options.signal?.aborted) return { batches, last };
    if (last.kind === 'rests' || (polls > 0 && (await awaitSample(context, cell, polls)))) continue;
    const goesOn = last.kind === 'done' || last.kind === 'split';
    if (!goesOn || context.clock.now().getTime() >= until) return { batches, last };
  }
}

const ATTEMPTS = 6;
const RETRIED: readonly FailureKind[] = ['retry', 'duplicate', 'bad_value', 'too_slow'];

async function applyBatch(context: WorkerContext, cell: CellDatabase, epoch: bigint): Promise<BatchOutcome> {
  let strategy: WriteStrategy = 'insert';
  return retryWithBackoff(() => attemptBatch(context, cell, epoch, strategy), {
    clock: context.clock,
    attempts: ATTEMPTS,
    // what differs from its plan differs again, however long the pause
    pauseMs: (attempt, error) => (error instanceof PlanDiffers ? 0 : 20 * 2 ** attempt),
    retriesError: (error) =>
      [CountsDiffer, PlanDiffers].some((passing) => error instanceof passing) ||
      isRowFailure(error) ||
      RETRIED.includes(classifyFailure(error).kind),
    onRetry: (attempt, error) => {
      const { kind, sqlstate } = classifyFailure(error);
      strategy = error instanceof PlanDiffers ? 'per_org' : kind === 'duplicate' ? 'raise' : strategy;
      context.log.debug('batch_retried', { data_center: cell.dataCenter, attempt, sqlstate });
    },
  });
}

/**
 * One transaction. A range that it cannot write is split, a broken rule fails the run; throws what may pass by itself.
 */
async function attemptBatch(
  context: WorkerContext,
  cell: CellDatabase,
  epoch: bigint,
  strategy: WriteStrategy,
): Promise<BatchOutcome> {
  const claim: { batch?: ClaimedBatch } = {};
  try {
    return await cell.inTransaction('worker', (tx) => applyClaimed(tx, epoch, strategy, claim));
  } catch (error) {
    const why = isRowFailure(error) ? 'bad_value' : classifyFailure(error).kind;
    if (claim.batch && (why === 'too_slow' || why === 'bad_value')) {
      const split = await splitBatch(context, cell, { epoch, batch: claim.batch, why });
      if (split !== undefined) return split;
    }
    const breach = findBreach(error);
    if (breach !== undefined) return failRun(context, cell, epoch, breach);
    throw error;
  }
}

async function applyClaimed(
  tx: CellTransaction,
  epoch: bigint,
  strategy: WriteStrategy,
  claim: { batch?: ClaimedBatch },
): Promise<BatchOutcome> {
  const run = await enterFence(tx, epoch);
  if (run === undefined) return { kind: 'fenced' };
  const lane = await takeLane(tx, run.throttle, () => findNewestBatch(tx, run.runId));
  if (lane.kind !== 'taken') return lane;
  const batch = await claimBatch(tx, run);
  if (batch === undefined) return { kind: 'nothing_pending' };
  claim.batch = batch;
  const counts = await writeBatch(tx, run, batch, strategy);
  await requireFewQuarantined(tx, run, counts);
  const completed = await completeBatch(
    tx,
    { runId: run.runId, batchNo: batch.batchNo, epoch, timeline: run.timeline },
    counts,
  );
  if (!completed)
    throw new RolloutError('conflict', { message: `Batch ${batch.batchNo} was completed by another worker.` });
  return { kind: 'done', orgs: counts.orgs };
}
