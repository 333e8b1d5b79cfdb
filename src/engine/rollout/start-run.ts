// Starts the run of a data center: its epoch, its approval and the slot are taken in one transaction of control.
import { findApproval, useApproval } from '../../stores/control/approvals.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import {
  type AdoptedCell,
  type DataCenterVersion,
  type RequestedRollout,
  transitionDataCenter,
} from '../../stores/control/data-centers.js';
import { insertControlRun } from '../../stores/control/runs.js';
import type { EngineContext } from '../context.js';
import { startUnderNewEpoch, VersionConflict } from '../new-epoch.js';
import { readCell } from './read-cell.js';

/** False, with nothing written: another scheduler was faster, the slot is taken, or the approval is gone. */
export async function activate(
  context: EngineContext,
  row: DataCenterVersion & AdoptedCell & RequestedRollout,
  reason: string,
): Promise<boolean> {
  const reading = await readCell(() => context.cells.get(row.id), { runId: null, adoption: row.adoption });
  const { settings } = row;
  if (reading.kind !== 'read' || settings === null) return false;
  return startUnderNewEpoch(context, reading.fence.epoch, async (tx, epoch) => {
    await insertControlRun(tx, {
      runId: epoch,
      dataCenter: row.id,
      kind: 'migrate',
      cardHash: settings.cardHash,
      planId: row.planId,
      requestedBy: row.requestedBy,
      reason: row.requestReason,
    });
    const change = {
      stage: 'canary',
      epoch,
      runId: epoch,
      fenceConfirmedClosed: false,
      failure: null,
      verifiedAt: null,
      bakeUntil: null,
      // opening the fence stops the change feed
      singleWrites: false,
    } as const;
    // first: the database lets a data center into its canary only with a used approval
    if (!(await consumeApproval(tx, row.planId, epoch))) throw new VersionConflict();
    if (!(await transitionDataCenter(tx, row, change))) throw new VersionConflict();
    await appendAudit(tx, { action: 'activate', dataCenter: row.id, runId: epoch, epoch, reason });
  });
}

/** Marks the plan's approval as used; false when there is none any more. */
async function consumeApproval(tx: ControlTransaction, planId: string | null, runId: bigint): Promise<boolean> {
  const approval = planId === null ? undefined : await findApproval(tx, planId);
  return approval !== undefined && (await useApproval(tx, approval.approvalId, runId));
}
