// Starts the run of a data center: its epoch, its approval and the slot are taken in one transaction of control.

import { findApproval, useApproval } from '../../stores/control/approvals.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { type DataCenterRow, transitionDataCenter } from '../../stores/control/data-centers.js';
import { takeEpoch } from '../../stores/control/rollout.js';
import { insertControlRun } from '../../stores/control/runs.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { readCell } from './read-cell.js';

/** False when somebody else was faster, the slot is taken, or the approval is gone; then nothing is written. */
export async function activate(context: EngineContext, row: DataCenterRow, reason: string): Promise<boolean> {
  const reading = await readCell(() => context.cells.get(row.id), { runId: null });
  const { settings } = row;
  if (reading.kind !== 'read' || settings === null) return false;
  try {
    return await context.control.inTransaction(async (tx) => {
      const epoch = await takeEpoch(tx, reading.fence.epoch);
      await insertControlRun(tx, {
        runId: epoch,
        dataCenter: row.id,
        kind: 'migrate',
        cardHash: settings.cardHash,
        planId: settings.pin === 'none' ? null : row.planId,
        requestedBy: row.requestedBy,
        reason: row.requestReason,
      });
      const change = {
        stage: 'canary',
        epoch,
        runId: epoch,
        quiet: false,
        failure: null,
        verifiedAt: null,
        bakeUntil: null,
        // opening the fence stops the change feed
        singleWrites: false,
      } as const;
      if (!(await transitionDataCenter(tx, row, change))) throw new VersionConflict();
      if (settings.pin !== 'none' && !(await consumeApproval(tx, row.planId, epoch))) throw new VersionConflict();
      await appendAudit(tx, {
        actor: context.actor,
        action: 'activate',
        dataCenter: row.id,
        runId: epoch,
        epoch,
        reason,
      });
      return true;
    });
  } catch (error) {
    // the slot's unique index, or another scheduler's version: nothing was written
    if (error instanceof VersionConflict || classifyFailure(error).kind === 'duplicate') return false;
    throw error;
  }
}

/** Uses the plan's approval up; false when there is none any more. */
async function consumeApproval(tx: ControlTransaction, planId: string | null, runId: bigint): Promise<boolean> {
  const approval = planId === null ? undefined : await findApproval(tx, planId);
  return approval !== undefined && (await useApproval(tx, approval.approvalId, runId));
}

/** Another scheduler moved the row since it was read. */
class VersionConflict extends Error {}
