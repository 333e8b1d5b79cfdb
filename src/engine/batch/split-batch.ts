// Splits a range that one transaction cannot write, down to the one org that cannot be read, which is quarantined.
// Leaves a range as it is that another worker has split or completed in the meantime: the failure was not that range's.
import { quarantineUnreadable } from '../../stores/cell/batch/allotments.js';
import {
  type ClaimedBatch,
  completeBatch,
  lockLane,
  lockPendingBatch,
  splitPendingBatch,
} from '../../stores/cell/batch/batches.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { settleDrift } from '../../stores/cell/reconcile/repairs.js';
import { classifyFailure, type FailureKind } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import { enterFence, failRun } from './run-fence.js';
import { NOTHING_WRITTEN } from './write-batch.js';

export type SplitOutcome =
  | { readonly kind: 'done'; readonly orgs: number }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'no_lane' }
  | { readonly kind: 'split' }
  | { readonly kind: 'failed'; readonly code: string };

export interface FailedRange {
  readonly epoch: bigint;
  readonly batch: ClaimedBatch;
  readonly why: Extract<FailureKind, 'too_slow' | 'bad_value'>;
}

/** Splits the range in two; undefined: it could not be locked now, try the batch again. */
export async function splitBatch(
  context: WorkerContext,
  cell: CellDatabase,
  failed: FailedRange,
): Promise<SplitOutcome | undefined> {
  try {
    const outcome = await cell.inTransaction('worker', (tx) => splitClaimed(tx, failed));
    const { batchNo: batch } = failed.batch;
    context.log.info('batch_split', { data_center: cell.dataCenter, batch, why: failed.why, result: outcome.kind });
    return outcome.kind === 'too_slow' ? failRun(context, cell, failed.epoch, 'batch_too_slow') : outcome;
  } catch (error) {
    // another session holds the product's table or this batch, or took the new number: none of that is caused by the
    // range
    if (['retry', 'too_slow', 'duplicate'].includes(classifyFailure(error).kind)) return undefined;
    throw error;
  }
}

async function splitClaimed(
  tx: CellTransaction,
  { epoch, batch, why }: FailedRange,
): Promise<SplitOutcome | { readonly kind: 'too_slow' }> {
  const run = await enterFence(tx, epoch);
  if (run === undefined) return { kind: 'fenced' };
  if ((await lockLane(tx, Math.ceil(run.throttle.lanes))) === undefined) return { kind: 'no_lane' };
  const { runId, timeline } = run;
  const now = await lockPendingBatch(tx, runId, batch.batchNo);
  const same = now !== undefined && now.lowerId === batch.lowerId && now.upperId === batch.upperId;
  if (!same || (await splitPendingBatch(tx, runId, batch.batchNo))) return { kind: 'split' };
  if (why === 'too_slow') return { kind: why };
  const quarantined = await quarantineUnreadable(tx, { ...batch, runId, cardHash: run.cardHash });
  // what a night found and could not heal does not count as to be healed any more; quarantine has the reason
  if (batch.kind === 'repair') await settleDrift(tx, runId, batch.orgIds, []);
  await completeBatch(
    tx,
    { runId, batchNo: batch.batchNo, epoch, timeline },
    { ...NOTHING_WRITTEN, orgs: quarantined, quarantined },
  );
  return { kind: 'done', orgs: quarantined };
}
