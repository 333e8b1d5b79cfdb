// Takes pending ranges of the open run until none is left: claim, write and checkpoint in one transaction each.
// The order inside `applyBatch` is the protocol: fence, lane, batch row, allotments. Do not reorder.
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { type ClaimedBatch, claimBatch, completeBatch, lockLane } from '../../stores/cell/batch/batches.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { classifyFailure, type FailureKind } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import { enterFence, failRun } from './run-fence.js';
import { splitBatch } from './split-batch.js';
import { CountsDiffer, PlanDiffers, type WriteStrategy, writeBatch } from './write-batch.js';

export type BatchOutcome =
  | { readonly kind: 'done'; readonly orgs: number }
  /** The fence is closed, under another epoch, or the cell's timeline changed: normal, the job ends. */
  | { readonly kind: 'fenced' }
  | { readonly kind: 'no_lane' }
  /** Nothing free to claim: others may still work on some. */
  | { readonly kind: 'nothing_pending' }
  | { readonly kind: 'split' }
  | { readonly kind: 'failed'; readonly code: string };

export interface ApplyOptions {
  readonly dataCenter: string;
  readonly epoch: bigint;
  /** Longest time to go on taking batches, in ms. */
  readonly forMs: number;
  readonly signal?: AbortSignal;
}

/** Takes batches until none is left, the time is over, or it is told to stop; returns why it stopped and what it did. */
export async function applyBatches(
  context: WorkerContext,
  options: ApplyOptions,
): Promise<{ batches: number; last: BatchOutcome }> {
  const cell = context.cells.get(options.dataCenter);
  const until = context.clock.now().getTime() + options.forMs;
  let batches = 0;
  for (;;) {
    const last = await applyBatch(context, cell, options.epoch);
    if (last.kind === 'done') batches += 1;
    const goesOn = last.kind === 'done' || last.kind === 'split';
    if (!goesOn || options.signal?.aborted || context.clock.now().getTime() >= until) return { batches, last };
  }
}

const ATTEMPTS = 6;
const RETRIED: readonly FailureKind[] = ['retry', 'duplicate', 'bad_value', 'too_slow'];

async function applyBatch(context: WorkerContext, cell: CellDatabase, epoch: bigint): Promise<BatchOutcome> {
  let way: WriteStrategy = 'insert';
  for (let attempt = 1; ; attempt += 1) {
    const claim: { batch?: ClaimedBatch } = {};
    try {
      return await cell.inTransaction('worker', (tx) => applyClaimed(tx, epoch, way, claim));
    } catch (error) {
      const { kind, sqlstate } = classifyFailure(error);
      if (claim.batch && (kind === 'too_slow' || kind === 'bad_value')) {
        const halved = await splitBatch(context, cell, { epoch, batch: claim.batch, why: kind });
        if (halved !== undefined) return halved;
      }
      const breach = findBreach(error);
      if (breach !== undefined) return failRun(context, cell, epoch, breach);
      const differs = error instanceof CountsDiffer || error instanceof PlanDiffers;
      if (!(differs || RETRIED.includes(kind)) || attempt === ATTEMPTS) throw error;
      way = error instanceof PlanDiffers ? 'per_org' : kind === 'duplicate' ? 'raise' : way;
      context.log.debug('batch_retried', { data_center: cell.dataCenter, attempt, sqlstate });
      // what differs from its plan does so at once again
      if (!(error instanceof PlanDiffers)) await context.clock.sleep(20 * 2 ** attempt);
    }
  }
}

/** The code of a broken rule or an edited plan, at which the run must not go on; undefined: it may. */
function findBreach(error: unknown): string | undefined {
  if (isRolloutError(error, 'plan_edited')) return 'plan_edited';
  const { kind, object } = classifyFailure(error);
  return kind === 'rule_broken' ? (object ?? 'rule_violation') : undefined;
}

async function applyClaimed(
  tx: CellTransaction,
  epoch: bigint,
  way: WriteStrategy,
  claim: { batch?: ClaimedBatch },
): Promise<BatchOutcome> {
  const run = await enterFence(tx, epoch);
  if (run === undefined) return { kind: 'fenced' };
  if ((await lockLane(tx, run.lanes)) === undefined) return { kind: 'no_lane' };
  const batch = await claimBatch(tx, run);
  if (batch === undefined) return { kind: 'nothing_pending' };
  claim.batch = batch;
  const counts = await writeBatch(tx, run, batch, way);
  const completed = await completeBatch(
    tx,
    { runId: run.runId, batchNo: batch.batchNo, epoch, timeline: run.timeline },
    counts,
  );
  if (!completed)
    throw new RolloutError('conflict', { message: `Batch ${batch.batchNo} was completed by another worker.` });
  return { kind: 'done', orgs: counts.orgs };
}
