// Purges what reconciliations and sweeps found long ago, in the cells. Never purges counts in control, nor a floor that
// is still proposed.
import { purgeOldDrift } from '../../stores/cell/reconcile/drift-writes.js';
import { appendAudit } from '../../stores/control/audit.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { purgeInCells } from '../purge.js';

export interface DriftRetention {
  /** `reconcile.driftRetention`, in days. */
  readonly retentionDays: number;
  readonly signal?: AbortSignal | undefined;
}

/** Rows in one transaction. */
const ROWS_PER_PART = 10_000;

/** Returns how many rows were purged. The findings of a cell that cannot be reached are purged the next time. */
export async function purgeDrift(context: EngineContext, { signal }: Pick<DriftRetention, 'signal'>): Promise<number> {
  const { control } = context;
  const ids = await control.inTransaction(async (tx) => (await listDataCenters(tx)).map(({ id }) => id));
  const cells = await purgeInCells(context, ids, {
    failure: 'purge_drift_failed',
    purgePart: (tx, retention) => purgeOldDrift(tx, { retention, limit: ROWS_PER_PART }),
    signal,
  });
  const purged = Object.values(cells).reduce((sum, rows) => sum + rows, 0);
  if (purged > 0) await control.inTransaction((tx) => appendAudit(tx, { action: 'forget_drift', details: { cells } }));
  return purged;
}
