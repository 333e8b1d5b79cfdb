// Takes pending ranges of the open run until none is left: claim, write and checkpoint in one transaction each.
// The order inside `applyBatch` is the protocol: fence, lane, batch row, allotments. Do not reorder.
import { RolloutError } from '../kernel/rollout-error.js';
import {
  countDecisions,
  hasAllotments,
  insertAllotments,
  quarantineOrgs,
  type RangeOfRun,
  raiseAllotments,
  readWritten,
} from '../stores/cell/allotments.js';
import { type BatchCounts, type ClaimedBatch, claimBatch, completeBatch, lockLane } from '../stores/cell/batches.js';
import type { CellDatabase, CellTransaction } from '../stores/cell/cell-database.js';
import { classifyFailure, type FailureKind } from '../stores/postgres-failure.js';
import type { WorkerContext } from './context.js';
import { enterFence } from './enter-fence.js';
import { failRun } from './fail-run.js';
import { halveBatch } from './halve-batch.js';

export type BatchOutcome =
  | { readonly kind: 'done'; readonly orgs: number }
  /** The fence is closed, under another epoch, or the cell's timeline changed: normal, the job ends. */
  | { readonly kind: 'fenced' }
  | { readonly kind: 'no_lane' }
  /** Nothing free to claim: `left` says whether others still work on some. */
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
  let path: 'insert' | 'raise' = 'insert';
  for (let attempt = 1; ; attempt += 1) {
    const claim: { batch?: ClaimedBatch } = {};
    try {
      return await cell.inTransaction('worker', (tx) => applyClaimed(tx, epoch, path, claim));
    } catch (error) {
      const failure = classifyFailure(error);
      if (claim.batch && (failure.kind === 'too_slow' || failure.kind === 'bad_value')) {
        const halved = await halveBatch(context, cell, { epoch, batch: claim.batch, why: failure.kind });
        if (halved !== undefined) return halved;
      }
      if (failure.kind === 'rule_broken') return failRun(context, cell, epoch, failure.object ?? 'rule_violation');
      const retry = RETRIED.includes(failure.kind) || error instanceof CountsDiffer;
      if (!retry || attempt === ATTEMPTS) throw error;
      if (failure.kind === 'duplicate') path = 'raise';
      context.log.debug('batch_retried', { data_center: cell.dataCenter, attempt, sqlstate: failure.sqlstate });
      await context.clock.sleep(20 * 2 ** attempt);
    }
  }
}

/** Orgs came or went between two statements of one batch: roll back and look again. */
class CountsDiffer extends Error {}

async function applyClaimed(
  tx: CellTransaction,
  epoch: bigint,
  path: 'insert' | 'raise',
  claim: { batch?: ClaimedBatch },
): Promise<BatchOutcome> {
  const run = await enterFence(tx, epoch);
  if (run === undefined) return { kind: 'fenced' };
  if ((await lockLane(tx, run.lanes)) === undefined) return { kind: 'no_lane' };
  const batch = await claimBatch(tx, run.runId);
  if (batch === undefined) return { kind: 'nothing_pending' };
  claim.batch = batch;
  const range = { ...batch, runId: run.runId, cardHash: run.cardHash };
  const fresh = path === 'insert' && !(await hasAllotments(tx, range));
  const counts = fresh ? await writeFresh(tx, range, run.sourceUnique) : await writeRaised(tx, range);
  const completed = await completeBatch(
    tx,
    { runId: run.runId, batchNo: batch.batchNo, epoch, timeline: run.timeline },
    counts,
  );
  if (!completed)
    throw new RolloutError('conflict', { message: `Batch ${batch.batchNo} was completed by another worker.` });
  return { kind: 'done', orgs: counts.orgs };
}

/** Nothing stood in the range: every org is now inserted or undecidable. */
async function writeFresh(tx: CellTransaction, range: RangeOfRun, sourceUnique: boolean): Promise<BatchCounts> {
  const inserted = await insertAllotments(tx, range);
  const { orgs, written, totalCredits } = await readWritten(tx, range, sourceUnique);
  const quarantined = orgs === inserted ? 0 : await quarantineOrgs(tx, range, 'decided_first');
  if (written !== inserted || orgs !== inserted + quarantined) throw new CountsDiffer();
  return { inserted, raised: 0, totalCredits, orgs, quarantined, unchanged: 0, falls: 0 };
}

/** Something stands in the range: what is missing is inserted, what rose is raised, the rest is counted. */
async function writeRaised(tx: CellTransaction, range: RangeOfRun): Promise<BatchCounts> {
  const written = await raiseAllotments(tx, range);
  const { orgs, quarantined, falls } = await countDecisions(tx, range);
  if (quarantined > 0) await quarantineOrgs(tx, range, 'decided');
  const unchanged = orgs - quarantined - written.inserted - written.raised;
  if (unchanged < 0) throw new CountsDiffer();
  return { ...written, orgs, quarantined, unchanged, falls };
}
