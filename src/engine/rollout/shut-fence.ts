// Shuts the fence of a run, and says so in control.
import { SLOT_STAGES } from '../../domain/rollout/stage.js';
import { closeFence, lockFenceExclusive, readFence } from '../../stores/cell/batch/fence.js';
import { stopSingleWrites } from '../../stores/cell/reconcile/maintenance.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type DataCenterRow, transitionDataCenter } from '../../stores/control/data-centers.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { ofRun } from './advance-stage.js';

/**
 * Takes the fence exclusively and shuts it at our epoch: from then on nothing of this run can commit. False while a batch
 * still holds it.
 */
export async function shutFence(context: EngineContext, row: DataCenterRow, reason: string): Promise<boolean> {
  try {
    await context.cells.get(row.id).inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      // woken late: the fence has gone on under a newer epoch, which is for others to close
      const outrun = SLOT_STAGES.includes(row.stage) && (await readFence(tx)).epoch > (row.epoch ?? 0n);
      if (outrun) return;
      await closeFence(tx, null, row.epoch ?? 0n);
      // of a fence that was shut already, too: the change feed wrote behind it
      await stopSingleWrites(tx);
    });
  } catch (error) {
    if (classifyFailure(error).kind !== 'retry') throw error;
    return false;
  }
  return context.control.inTransaction(async (tx) => {
    const moved = await transitionDataCenter(tx, row, { quiet: true, singleWrites: false });
    if (moved)
      await appendAudit(tx, { actor: context.actor, action: 'close_fence', dataCenter: row.id, reason, ...ofRun(row) });
    return moved;
  });
}
