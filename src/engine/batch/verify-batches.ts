// Verifies the applied ranges of a run whose fence is in state `verifying`, by an independent statement of the rule, on
// the primary.
import { claimVerification } from '../../stores/cell/batch/batches.js';
import { findNewestVerified } from '../../stores/cell/batch/checks.js';
import { lockFenceShared } from '../../stores/cell/batch/fence.js';
import { findVerifyingRun } from '../../stores/cell/batch/open-run.js';
import { recordVerification, verifyRange } from '../../stores/cell/batch/verification.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { listUnreadable } from '../../stores/cell/unreadable.js';
import { classifyFailure, isRowFailure } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import type { ApplyOptions } from './apply-batches.js';
import { findBreach } from './breach.js';
import { countCanaryMismatches } from './check-canary.js';
import { failRun } from './run-fence.js';
import { awaitSample, createSampler, type LaneOutcome, takeLane } from './take-lane.js';

type Outcome = { readonly kind: 'done' | 'fenced' | 'nothing_left' } | Exclude<LaneOutcome, { readonly kind: 'taken' }>;
export type VerifyOutcome = Outcome['kind'];

/** Takes ranges until none is left, the time is over, or `signal` aborts. */
export async function verifyBatches(
  context: WorkerContext,
  options: ApplyOptions,
): Promise<{ batches: number; last: VerifyOutcome }> {
  const cell = context.cells.get(options.dataCenter);
  const until = context.clock.now().getTime() + options.forMs;
  let batches = 0;
  let statementMs = 2_000;
  let mode: ReadMode = 'whole';
  let polls = 0;
  let lastMs = 0;
  const sampleIfDue = createSampler(context, cell);
  for (;;) {
    try {
      const began = context.clock.now().getTime();
      const given = { epoch: options.epoch, mode, lastMs };
      const outcome = await cell.inTransaction('worker', (tx) => verifyClaimed(tx, given), { statementMs });
      const { kind: last } = outcome;
      await sampleIfDue();
      polls = last === 'unsampled' ? polls + 1 : 0;
      if (outcome.kind === 'rests') await context.clock.sleep(outcome.ms, options.signal);
      const goesOn = last === 'rests' || (polls > 0 && (await awaitSample(context, cell, polls)));
      if (goesOn && !options.signal?.aborted) continue;
      if (last !== 'done') return { batches, last };
      lastMs = context.clock.now().getTime() - began;
      batches += 1;
      options.onProgress?.();
      mode = 'whole';
      if (options.signal?.aborted || context.clock.now().getTime() >= until) return { batches, last };
    } catch (error) {
      const breach = findBreach(error);
      if (breach === 'source_row_security') {
        await failRun(context, cell, options.epoch, breach);
        return { batches, last: 'fenced' };
      }
      const { kind } = classifyFailure(error);
      if (isRowFailure(error) && mode === 'whole') {
        mode = 'careful';
        continue;
      }
      if (kind !== 'too_slow') throw error;
      // not longer: a pause must wait for this statement
      if (statementMs >= 3_000) {
        await failRun(context, cell, options.epoch, 'source_too_slow');
        return { batches, last: 'fenced' };
      }
      statementMs = 3_000;
    }
  }
}

/** `careful`: some org of the range cannot be read; find out which, and compare the rest. */
type ReadMode = 'whole' | 'careful';

interface Given {
  readonly epoch: bigint;
  readonly mode: ReadMode;
  /** How long this worker took for the range before: a lane that is less than one rests after it. */
  readonly lastMs: number;
}

async function verifyClaimed(tx: CellTransaction, { epoch, mode, lastMs }: Given): Promise<Outcome> {
  await lockFenceShared(tx);
  const run = await findVerifyingRun(tx, epoch);
  if (run === undefined) return { kind: 'fenced' };
  const lane = await takeLane(tx, run.throttle, async () => {
    const endedMs = await findNewestVerified(tx, run.runId);
    return endedMs === undefined ? undefined : { durationMs: lastMs, endedMs };
  });
  if (lane.kind !== 'taken') return lane;
  const batch = await claimVerification(tx, run.runId);
  if (batch === undefined) return { kind: 'nothing_left' };
  const unreadable = mode === 'careful' ? await listUnreadable(tx, batch) : [];
  const counts = await verifyRange(tx, batch, { runId: run.runId, unreadable, sourceUnique: run.sourceUnique });
  const canary = batch.kind === 'canary' ? await countCanaryMismatches(tx, run, batch.orgIds) : 0;
  await recordVerification(
    tx,
    { runId: run.runId, batchNo: batch.batchNo },
    {
      ...counts,
      mismatches: Math.max(counts.mismatches, canary),
    },
  );
  return { kind: 'done' };
}
