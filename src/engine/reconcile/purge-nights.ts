// Purges what is left of nights and sweeps that are long over: in the cells their runs, batches and searches, and what
// they set aside; in control their runs, their rows of the calendar, requests, and what the scheduler noted about
// them.
import { purgeOldNights } from '../../stores/cell/reconcile/maintenance.js';
import { appendAudit } from '../../stores/control/audit.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { purgeHoldLog } from '../../stores/control/hold-log.js';
import { purgeNightRows } from '../../stores/control/maintenance.js';
import type { EngineContext } from '../context.js';
import { purgeInCells } from '../purge.js';
import type { DriftRetention } from './purge-drift.js';

/** Rows of a cell, and runs of control, in one transaction. */
const ROWS_PER_PART = 10_000;
const RUNS_PER_PART = 1_000;

/** After `purgeDrift`: a run goes with its last finding. Returns how many rows were purged in cells and control. */
export async function purgeNights(context: EngineContext, { retentionDays, signal }: DriftRetention): Promise<number> {
  const { control } = context;
  const ids = await control.inTransaction(async (tx) => (await listDataCenters(tx)).map(({ id }) => id));
  const cells = await purgeInCells(context, ids, {
    failure: 'purge_nights_failed',
    purgePart: (tx, retention) => purgeOldNights(tx, { retention, limit: ROWS_PER_PART }),
    signal,
  });
  let inControl = 0;
  for (let part = -1; part !== 0 && !signal?.aborted; inControl += part)
    part = await control.inTransaction((tx) => purgeNightRows(tx, { retentionDays, limit: RUNS_PER_PART }));
  for (let part = -1; part !== 0 && !signal?.aborted; inControl += part)
    part = await control.inTransaction((tx) => purgeHoldLog(tx, { retentionDays, limit: ROWS_PER_PART }));
  const purged = Object.values(cells).reduce((sum, rows) => sum + rows, inControl);
  if (purged > 0)
    await control.inTransaction((tx) =>
      appendAudit(tx, { action: 'forget_nights', details: { cells, control: inControl } }),
    );
  return purged;
}
