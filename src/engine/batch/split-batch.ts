// Splits a range that one transaction cannot write, down to the one org that cannot be read, which is quarantined. A
// list of the plan is written without such an org.
// Leaves a range as it is that another worker has split or completed in the meantime: the failure was not that range's.
import { quarantineUnreadable } from '../../stores/cell/batch/allotments.js';
import {
  type BatchCounts,
  type ClaimedBatch,
  completeBatch,
  lockLane,
  lockPendingBatch,
  splitPendingBatch,
} from '../../stores/cell/batch/batches.js';
import type { OpenRun } from '../../stores/cell/batch/open-run.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { settleDrift } from '../../stores/cell/reconcile/repairs.js';
import { isSourceBroken, listIds, listUnreadable } from '../../stores/cell/unreadable.js';
import { classifyFailure, type FailureKind } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import { enterFence, failRun } from './run-fence.js';
import { NOTHING_WRITTEN, writeBatch } from './write-batch.js';

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

/** Splits the range in two; undefined: it could not be locked now, or no org can be read; try the batch again. */
export async function splitBatch(
  context: WorkerContext,
  cell: CellDatabase,
  failed: FailedRange,
): Promise<SplitOutcome | undefined> {
  try {
    const outcome = await cell.inTransaction('worker', (tx) => splitClaimed(tx, failed));
    const { batchNo: batch } = failed.batch;
    if (outcome.kind === 'broken') return undefined;
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
): Promise<SplitOutcome | { readonly kind: 'too_slow' } | { readonly kind: 'broken' }> {
  const run = await enterFence(tx, epoch);
  if (run === undefined) return { kind: 'fenced' };
  if ((await lockLane(tx, Math.ceil(run.throttle.lanes))) === undefined) return { kind: 'no_lane' };
  const { runId, timeline } = run;
  const now = await lockPendingBatch(tx, runId, batch.batchNo);
  const same = now !== undefined && now.lowerId === batch.lowerId && now.upperId === batch.upperId;
  if (!same) return { kind: 'split' };
  if (why === 'bad_value' && (await isSourceBroken(tx, runId))) return { kind: 'broken' };
  if (await splitPendingBatch(tx, runId, batch.batchNo)) return { kind: 'split' };
  if (why === 'too_slow') return { kind: why };
  const counts = await writeReadable(tx, run, batch);
  await completeBatch(tx, { runId, batchNo: batch.batchNo, epoch, timeline }, counts);
  return { kind: 'done', orgs: counts.orgs };
}

/** The readable orgs of a list of the plan; else there is one org, which cannot be read. */
async function writeReadable(tx: CellTransaction, run: OpenRun, batch: ClaimedBatch): Promise<BatchCounts> {
  const { runId } = run;
  if (batch.kind === 'range' || batch.kind === 'repair') {
    const quarantined = await quarantineUnreadable(tx, runId, await listIds(tx, batch));
    // what a night found and could not heal does not count as to be healed any more; quarantine has the reason
    if (batch.kind === 'repair') await settleDrift(tx, runId, batch.orgIds, []);
    return { ...NOTHING_WRITTEN, orgs: quarantined, quarantined };
  }
  const unreadable = await listUnreadable(tx, batch);
  const orgIds = batch.orgIds.filter((id) => !unreadable.includes(id));
  const counts = await writeBatch(tx, run, { ...batch, orgIds, onlyIds: orgIds }, 'per_org');
  // the batch of its range quarantines what is left out of the canary
  if (batch.kind === 'canary') return counts;
  const quarantined = await quarantineUnreadable(tx, runId, unreadable);
  return { ...counts, orgs: counts.orgs + unreadable.length, quarantined: counts.quarantined + quarantined };
}
