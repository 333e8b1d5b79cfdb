// Ends a pass or a maintenance run: in the cell first, so that control never shows an end that the cell does not have.
import { decideEnd } from '../../domain/calendar/due-work.js';
import { flattenTotals, totalDrift } from '../../domain/reconcile/drift-counts.js';
import type { MaintenanceRun } from '../../domain/rollout/snapshot.js';
import { endRun } from '../../stores/cell/batch/runs.js';
import { markSwept, readGate } from '../../stores/cell/cutover/gate.js';
import { readDriftCounts } from '../../stores/cell/reconcile/drift-writes.js';
import { beginPass, countUnswept } from '../../stores/cell/reconcile/maintenance.js';
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

/** The whole source is read once. */
const PROOF_MS = 60_000;

/**
 * Ends the run in the cell, then in control with its counts; frees the slot. A sweep is final, and who searched is who
 * says that nothing was found: another login counts what is left first, and where something is, it begins again.
 */
export async function endMaintenance(
  context: EngineContext,
  row: DataCenterVersion,
  open: MaintenanceRun,
  end: { readonly state: 'done' | 'failed'; readonly reason: string },
): Promise<boolean> {
  if (open.kind === 'sweep' && end.state === 'done') {
    const left = await context.cells
      .get(row.id)
      .inTransaction('fencer', (tx) => countUnswept(tx, open.runId), { statementMs: PROOF_MS });
    if (left > 0) {
      context.log.warn('sweep_incomplete', { data_center: row.id, orgs: left });
      return sweepAgain(context, row, open);
    }
  }
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
