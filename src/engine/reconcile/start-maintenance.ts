// Starts a maintenance run: the slot, the epoch and what it is for are taken in one transaction of control.
import type { MaintenanceRun } from '../../domain/rollout/snapshot.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { type DataCenterVersion, transitionDataCenter } from '../../stores/control/data-centers.js';
import { startDueWork } from '../../stores/control/due-work.js';
import { listMaintenance, type MaintenanceRow } from '../../stores/control/maintenance.js';
import { claimReconcileRequest } from '../../stores/control/reconcile-requests.js';
import { insertControlRun } from '../../stores/control/runs.js';
import type { EngineContext } from '../context.js';
import { startUnderNewEpoch, VersionConflict } from '../new-epoch.js';
import { readFenceOf } from './maintenance-fence.js';

/**
 * Takes the slot for a night, a request or a sweep. False, with nothing written: it is taken, or another scheduler was
 * faster.
 */
export async function startMaintenance(
  context: EngineContext,
  row: DataCenterVersion,
  kind: MaintenanceRun['kind'],
  reason: string,
): Promise<boolean> {
  const seen = await readFenceOf(context, row.id);
  // the database begins a sweep only of a cut-over that control knows of
  const { latchedAt, sweptAt } = seen.gate;
  const gate = kind === 'sweep' ? { gateLatchedAt: latchedAt, gateSweptAt: sweptAt } : {};
  return startUnderNewEpoch(context, seen.epoch, async (tx, runId) => {
    const { night, request } = (await listMaintenance(tx))(row.id);
    // opening the fence stops the change feed
    if (!(await transitionDataCenter(tx, row, { singleWrites: false, ...gate }))) throw new VersionConflict();
    await insertControlRun(tx, {
      runId,
      dataCenter: row.id,
      kind,
      cardHash: seen.activeCard ?? '',
      planId: null,
      requestedBy: kind === 'reconcile' && night === null ? (request?.requestedBy ?? null) : null,
      reason: kind === 'reconcile' && night === null ? (request?.reason ?? null) : reason,
    });
    if (kind === 'reconcile') await takeWhatIsDue(tx, row.id, runId, { night, request });
    await appendAudit(tx, { action: kind, dataCenter: row.id, runId, epoch: runId, reason });
  });
}

async function takeWhatIsDue(
  tx: ControlTransaction,
  dataCenter: string,
  runId: bigint,
  { night, request }: Pick<MaintenanceRow, 'night' | 'request'>,
): Promise<void> {
  if (night !== null && !(await startDueWork(tx, { dataCenter, localDate: night.localDate, runId })))
    throw new VersionConflict();
  // a nightly run does what was requested as well
  if (request !== null && !(await claimReconcileRequest(tx, request.requestId, runId))) throw new VersionConflict();
  if (night === null && request === null) throw new VersionConflict();
}
