// The auditor: puts a verified data center whose cell changed behind our back to pending, and asks for it again.
import { decideAudit } from '../domain/rollout/decide-audit.js';
import { appendAudit } from '../stores/control/audit.js';
import { readActor } from '../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters, transitionDataCenter } from '../stores/control/data-centers.js';
import type { EngineContext } from './context.js';
import { readCell } from './read-cell.js';

/** Looks at every data center that is done or bakes; returns the ids put back. */
export async function auditCells(context: EngineContext): Promise<readonly string[]> {
  const rows = await context.control.inTransaction(listDataCenters);
  const verified = rows.filter((row) => (row.stage === 'done' || row.stage === 'baking') && row.requestedAt === null);
  const back = await Promise.all(verified.map((row) => auditOne(context, row)));
  return back.filter((id) => id !== undefined);
}

async function auditOne(context: EngineContext, row: DataCenterRow): Promise<string | undefined> {
  const reading = await readCell(() => context.cells.get(row.id), { runId: row.runId });
  const reason = decideAudit(row, reading);
  if (reason === undefined) return undefined;
  const moved = await context.control.inTransaction(async (tx) => {
    const change = {
      stage: 'pending',
      quiet: false,
      requestedAt: context.clock.now(),
      requestedBy: await readActor(tx, context.actor),
      requestReason: reason,
    } as const;
    const done = await transitionDataCenter(tx, row, change);
    if (done) await appendAudit(tx, { actor: context.actor, action: 'reopen', dataCenter: row.id, reason });
    return done;
  });
  if (moved) context.log.warn('cell_changed', { data_center: row.id, reason });
  return moved ? row.id : undefined;
}
