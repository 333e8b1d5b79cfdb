// Verifies the applied ranges of a run whose fence is in state `verifying`, by an independent statement of the rule, on
// the primary.
import { claimVerification } from '../../stores/cell/batch/batches.js';
import { lockFenceShared } from '../../stores/cell/batch/fence.js';
import { findVerifyingRun } from '../../stores/cell/batch/open-run.js';
import { recordVerification, verifyRange } from '../../stores/cell/batch/verification.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { listUnreadable } from '../../stores/cell/unreadable.js';
import { classifyFailure, isRowFailure } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import type { ApplyOptions } from './apply-batches.js';
import { countCanaryMismatches } from './check-canary.js';
import { failRun } from './run-fence.js';
import { awaitSample, type LaneOutcome, takeLane } from './take-lane.js';

export type VerifyOutcome = 'done' | 'fenced' | 'nothing_left' | Exclude<LaneOutcome['kind'], 'taken'>;

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
  for (;;) {
    try {
      const last = await cell.inTransaction('worker', (tx) => verifyClaimed(tx, options.epoch, mode), {
        statementMs,
      });
      polls = last === 'unsampled' ? polls + 1 : 0;
      if (polls > 0 && !options.signal?.aborted && (await awaitSample(context, cell, polls))) continue;
      if (last !== 'done') return { batches, last };
      batches += 1;
      options.onProgress?.();
      mode = 'whole';
      if (options.signal?.aborted || context.clock.now().getTime() >= until) return { batches, last };
    } catch (error) {
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

async function verifyClaimed(tx: CellTransaction, epoch: bigint, mode: ReadMode): Promise<VerifyOutcome> {
  await lockFenceShared(tx);
  const run = await findVerifyingRun(tx, epoch);
  if (run === undefined) return 'fenced';
  const lane = await takeLane(tx, run.throttle);
  if (lane.kind !== 'taken') return lane.kind;
  const batch = await claimVerification(tx, run.runId);
  if (batch === undefined) return 'nothing_left';
  const unreadable = mode === 'careful' ? await listUnreadable(tx, batch) : [];
  const counts = await verifyRange(tx, batch, { runId: run.runId, unreadable });
  const canary = batch.kind === 'canary' ? await countCanaryMismatches(tx, run, batch.orgIds) : 0;
  await recordVerification(
    tx,
    { runId: run.runId, batchNo: batch.batchNo },
    {
      ...counts,
      mismatches: Math.max(counts.mismatches, canary),
    },
  );
  return 'done';
}
