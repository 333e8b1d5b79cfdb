// Verifies the applied ranges of a run whose fence says `verifying`: an independent statement of the rule, on the primary.
import { claimVerification, lockLane } from '../../stores/cell/batch/batches.js';
import { lockFenceShared, readFence } from '../../stores/cell/batch/fence.js';
import { findRun } from '../../stores/cell/batch/runs.js';
import { recordVerification, verifyRange } from '../../stores/cell/batch/verification.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { listUnreadable } from '../../stores/cell/unreadable.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import type { ApplyOptions } from './apply-batches.js';
import { countCanaryMismatches } from './check-canary.js';
import { failRun } from './run-fence.js';

export type VerifyOutcome = 'done' | 'fenced' | 'no_lane' | 'nothing_left';

/** Takes ranges until none is left, the time is over, or it is told to stop. */
export async function verifyBatches(
  context: WorkerContext,
  options: ApplyOptions,
): Promise<{ batches: number; last: VerifyOutcome }> {
  const cell = context.cells.get(options.dataCenter);
  const until = context.clock.now().getTime() + options.forMs;
  let batches = 0;
  let statementMs = 2_000;
  let reading: Reading = 'whole';
  for (;;) {
    try {
      const last = await cell.inTransaction('worker', (tx) => verifyClaimed(tx, options.epoch, reading), {
        statementMs,
      });
      if (last !== 'done') return { batches, last };
      batches += 1;
      reading = 'whole';
      if (options.signal?.aborted || context.clock.now().getTime() >= until) return { batches, last };
    } catch (error) {
      const { kind } = classifyFailure(error);
      if (kind === 'bad_value' && reading === 'whole') {
        reading = 'careful';
        continue;
      }
      // three seconds is the longest that a pause may wait for us
      if (kind !== 'too_slow') throw error;
      if (statementMs >= 3_000) {
        await failRun(context, cell, options.epoch, 'source_too_slow');
        return { batches, last: 'fenced' };
      }
      statementMs = 3_000;
    }
  }
}

/** `careful`: some org of the range cannot be read; find out which, and compare the rest. */
type Reading = 'whole' | 'careful';

async function verifyClaimed(tx: CellTransaction, epoch: bigint, reading: Reading): Promise<VerifyOutcome> {
  await lockFenceShared(tx);
  const fence = await readFence(tx);
  const open = fence.state === 'verifying' && !fence.frozen;
  const ours = open && fence.epoch === epoch && fence.timeline === fence.currentTimeline;
  const run = ours && fence.runId !== null ? await findRun(tx, fence.runId) : undefined;
  if (run === undefined) return 'fenced';
  if ((await lockLane(tx, run.lanes)) === undefined) return 'no_lane';
  const batch = await claimVerification(tx, run.runId);
  if (batch === undefined) return 'nothing_left';
  const unreadable = reading === 'careful' ? await listUnreadable(tx, batch) : [];
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
