// Purges plans older than the retention, in the cells and in control. Approvals and audit stay, and plans that are in
// use.
import { deletePlan } from '../../stores/cell/plan/plans.js';
import { appendAudit } from '../../stores/control/audit.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { deleteOldPlans, listPlansInUse } from '../../stores/control/plans.js';
import type { EngineContext } from '../context.js';
import { purgeInCells } from '../purge.js';
import { parsePlanName } from './plan-id.js';

export interface Retention {
  /** `rollout.planRetention`, in days. */
  readonly retentionDays: number;
  readonly signal?: AbortSignal | undefined;
}

/** A cell that cannot be read is purged the next time. Returns how many plans were deleted in cells and control. */
export async function purgePlans(context: EngineContext, { retentionDays, signal }: Retention): Promise<number> {
  const { control } = context;
  const { ids, inUse } = await control.inTransaction(async (tx) => ({
    ids: (await listDataCenters(tx)).map(({ id }) => id),
    inUse: await listPlansInUse(tx),
  }));
  const cells = await purgeInCells(context, ids, {
    failure: 'purge_plans_failed',
    purgePart: async (tx, retention, dataCenter) => {
      const deleted = await deletePlan(tx, { retention, kept: listNumbers(inUse, dataCenter) });
      return deleted === undefined ? 0 : 1;
    },
    signal,
  });
  const inCells = Object.values(cells).reduce((sum, deleted) => sum + deleted, 0);
  return control.inTransaction(async (tx) => {
    const inControl = await deleteOldPlans(tx, retentionDays, inUse);
    if (inCells + inControl > 0)
      await appendAudit(tx, { action: 'forget_plans', details: { cells, control: inControl } });
    return inCells + inControl;
  });
}

function listNumbers(planNames: readonly string[], dataCenter: string): readonly bigint[] {
  const names = planNames.map(parsePlanName).filter((name) => name?.dataCenter === dataCenter);
  return names.flatMap((name) => name?.number ?? []);
}
