// Takes pending ranges of the open run until none is left: claim, write and checkpoint in one transaction each.
// The order inside `applyBatch` is the protocol: fence, lane, batch row, allotments. Do not reorder.
import { RolloutError } from '../kernel/rollout-error.js';
import {
  countDecisions,
  countOrgs,
  hasAllotments,
  insertAllotments,
  quarantineOrgs,
  quarantineUnreadable,
  type RangeOfRun,
  raiseAllotments,
  type WriteCounts,
} from '../stores/cell/allotments.js';
import {
  type BatchCounts,
  type ClaimedBatch,
  claimBatch,
  completeBatch,
  lockLane,
  splitBatch,
} from '../stores/cell/batches.js';
import type { CellDatabase, CellTransaction } from '../stores/cell/cell-database.js';
import { lockFenceShared, readFence } from '../stores/cell/fence.js';
import { findCell } from '../stores/cell/identity.js';
import { type CellRun, findRun } from '../stores/cell/runs.js';
import { classifyFailure, type PostgresFailure } from '../stores/postgres-failure.js';
import type { WorkerContext } from './context.js';
import { failRun } from './fail-run.js';

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

async function applyBatch(context: WorkerContext, cell: CellDatabase, epoch: bigint): Promise<BatchOutcome> {
  let path: 'insert' | 'raise' = 'insert';
  for (let attempt = 1; ; attempt += 1) {
    const claim: { batch?: ClaimedBatch; runId?: bigint } = {};
    try {
      return await cell.inTransaction('worker', (tx) => applyClaimed(tx, epoch, path, claim));
    } catch (error) {
      const failure = classifyFailure(error);
      if (failure.kind === 'too_slow' || failure.kind === 'bad_value') {
        const split = await splitClaimed(context, cell, epoch, claim, failure);
        if (split !== undefined) return split;
      }
      if (failure.kind === 'rule_broken') return failRun(context, cell, epoch, failure.object ?? 'rule_violation');
      const retry = ['retry', 'duplicate', 'bad_value'].includes(failure.kind) || error instanceof CountsDiffer;
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
  claim: { batch?: ClaimedBatch; runId?: bigint },
): Promise<BatchOutcome> {
  const run = await enterFence(tx, epoch);
  if (run === undefined) return { kind: 'fenced' };
  if ((await lockLane(tx, run.lanes)) === undefined) return { kind: 'no_lane' };
  const batch = await claimBatch(tx, run.runId);
  if (batch === undefined) return { kind: 'nothing_pending' };
  claim.batch = batch;
  claim.runId = run.runId;
  const counts = await writeRange(tx, { ...batch, runId: run.runId, cardHash: run.cardHash }, path);
  const completed = await completeBatch(
    tx,
    { runId: run.runId, batchNo: batch.batchNo, epoch, timeline: run.timeline },
    counts,
  );
  if (!completed)
    throw new RolloutError('conflict', { message: `Batch ${batch.batchNo} was completed by another worker.` });
  return { kind: 'done', orgs: counts.orgs };
}

type OpenRun = CellRun & { readonly timeline: string };

/** The shared lock first, then the row in a new statement; undefined: not ours to write. */
async function enterFence(tx: CellTransaction, epoch: bigint): Promise<OpenRun | undefined> {
  await lockFenceShared(tx);
  const fence = await readFence(tx);
  const ours = fence.state === 'open' && fence.epoch === epoch && fence.timeline === fence.currentTimeline;
  if (!ours || fence.runId === null) return undefined;
  const run = await findRun(tx, fence.runId);
  return run?.state === 'open' ? { ...run, timeline: fence.currentTimeline } : undefined;
}

async function writeRange(tx: CellTransaction, range: RangeOfRun, path: 'insert' | 'raise'): Promise<BatchCounts> {
  const fresh = path === 'insert' && !(await hasAllotments(tx, range));
  const written = fresh ? await insertAllotments(tx, range) : await raiseAllotments(tx, range);
  return fresh ? countFresh(tx, range, written) : countRaised(tx, range, written);
}

/** Nothing stood in the range: every org is now inserted or undecidable. */
async function countFresh(tx: CellTransaction, range: RangeOfRun, written: WriteCounts): Promise<BatchCounts> {
  const unique = (await findCell(tx))?.sourceUnique ?? false;
  const orgs = await countOrgs(tx, range, unique);
  const quarantined = orgs === written.inserted ? 0 : await quarantineOrgs(tx, range);
  if (orgs !== written.inserted + quarantined) throw new CountsDiffer();
  return { ...written, orgs, quarantined, unchanged: 0, falls: 0 };
}

async function countRaised(tx: CellTransaction, range: RangeOfRun, written: WriteCounts): Promise<BatchCounts> {
  const { orgs, quarantined, falls } = await countDecisions(tx, range);
  if (quarantined > 0) await quarantineOrgs(tx, range);
  const unchanged = orgs - quarantined - written.inserted - written.raised;
  if (unchanged < 0) throw new CountsDiffer();
  return { ...written, orgs, quarantined, unchanged, falls };
}

/** Too slow, or a value that cannot be read: halve the range; a single unreadable org is set aside. */
async function splitClaimed(
  context: WorkerContext,
  cell: CellDatabase,
  epoch: bigint,
  claim: { batch?: ClaimedBatch; runId?: bigint },
  failure: PostgresFailure,
): Promise<BatchOutcome | undefined> {
  const { batch, runId } = claim;
  if (batch === undefined || runId === undefined) return undefined;
  const split = await cell.inTransaction('worker', async (tx) => {
    if ((await enterFence(tx, epoch)) === undefined) return 'fenced';
    return (await splitBatch(tx, runId, batch.batchNo)) ? 'split' : 'whole';
  });
  context.log.info('batch_split', {
    data_center: cell.dataCenter,
    run: String(runId),
    batch: batch.batchNo,
    result: split,
  });
  if (split !== 'whole') return { kind: split };
  if (failure.kind === 'too_slow') return failRun(context, cell, epoch, 'batch_too_slow');
  return cell.inTransaction('worker', async (tx) => {
    const run = await enterFence(tx, epoch);
    if (run === undefined) return { kind: 'fenced' };
    const quarantined = await quarantineUnreadable(tx, { ...batch, runId, cardHash: run.cardHash });
    const counts = { ...NOTHING_WRITTEN, orgs: quarantined, quarantined };
    await completeBatch(tx, { runId, batchNo: batch.batchNo, epoch, timeline: run.timeline }, counts);
    return { kind: 'done', orgs: quarantined };
  });
}

const NOTHING_WRITTEN: BatchCounts = {
  orgs: 0,
  inserted: 0,
  raised: 0,
  unchanged: 0,
  quarantined: 0,
  falls: 0,
  legacyWins: 0,
  totalCredits: '0',
  beforeCredits: '0',
  floors: '0',
};
