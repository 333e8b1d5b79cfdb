// Ends a pass or a maintenance run: in the cell first, so that control never shows an end that the cell does not have.
import { decideEnd } from '../../domain/calendar/due-work.js';
import { flattenTotals, totalDrift } from '../../domain/reconcile/drift-counts.js';
import type { MaintenanceRun } from '../../domain/rollout/snapshot.js';
import { endRun } from '../../stores/cell/batch/runs.js';
import { markSwept, readGate } from '../../stores/cell/cutover/gate.js';
import { readDriftCounts } from '../../stores/cell/reconcile/drift-writes.js';
import { beginPass } from '../../stores/cell/reconcile/maintenance.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type DataCenterVersion, transitionDataCenter } from '../../stores/control/data-centers.js';
import { endDueWork, findNightOfRun } from '../../stores/control/due-work.js';
import { endReconcileRequest } from '../../stores/control/reconcile-requests.js';
import { endControlRun } from '../../stores/control/runs.js';
import type { EngineContext } from '../context.js';

/** Begins another pass of a sweep. */
export async function sweepAgain(
  context: EngineContext,
  row: DataCenterVersion,
  open: MaintenanceRun,
): Promise<boolean> {
  await context.cells.get(row.id).inTransaction('fencer', (tx) => beginPass(tx, open.runId));
  return true;
}

/** Ends the run in the cell, then in control with its counts; frees the slot. */
export async function endMaintenance(
  context: EngineContext,
  row: DataCenterVersion,
  open: MaintenanceRun,
  end: { readonly state: 'done' | 'failed'; readonly reason: string },
): Promise<boolean> {
  const { counts, sweptAt } = await context.cells.get(row.id).inTransaction('fencer', async (tx) => {
    // only the step that ended the run: a late one must not mark another cut-over as swept
    const ended = await endRun(tx, open.runId, end.state);
    if (ended && open.kind === 'sweep' && end.state === 'done') await markSwept(tx);
    return {
      counts: flattenTotals(totalDrift(await readDriftCounts(tx, open.runId))),
      sweptAt: (await readGate(tx)).sweptAt,
    };
  });
  return context.control.inTransaction(async (tx) => {
    if (!(await endControlRun(tx, open.runId, end.state, counts))) return false;
    const night = await findNightOfRun(tx, open.runId);
    if (night !== undefined)
      await endDueWork(tx, open.runId, {
        state: end.state === 'done' ? decideEnd(night.dueAt, night.startedAt) : 'missed',
        note: end.state === 'done' ? null : end.reason,
        counts,
      });
    await endReconcileRequest(tx, open.runId);
    await transitionDataCenter(tx, row, { gateSweptAt: sweptAt });
    await appendAudit(tx, {
      action: `end_${open.kind}`,
      dataCenter: row.id,
      runId: open.runId,
      reason: end.reason,
      details: { state: end.state, ...counts },
    });
    return true;
  });
}
