// Forgets what nights and sweeps found long ago, in the cells. Counts stay in control; what is still proposed stays whole.
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

/** So many rows at a time. */
const MOST = 10_000;

/** A cell that cannot be read keeps its findings until the next time. Returns how many rows were forgotten. */
export async function purgeDrift(context: EngineContext, { retentionDays, signal }: DriftRetention): Promise<number> {
  const { control, actor } = context;
  const ids = await control.inTransaction(async (tx) => (await listDataCenters(tx)).map(({ id }) => id));
  const cells = await purgeInCells(context, ids, {
    failure: 'forget_drift_failed',
    forget: (tx) => purgeOldDrift(tx, { retentionDays, limit: MOST }),
    signal,
  });
  const forgotten = Object.values(cells).reduce((sum, rows) => sum + rows, 0);
  if (forgotten > 0)
    await control.inTransaction((tx) => appendAudit(tx, { actor, action: 'forget_drift', details: { cells } }));
  return forgotten;
}
