// Forgets plans that are over, in the cells and in control. Approvals and audit stay; so do plans that somebody still needs.
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

/** A cell that cannot be read keeps its plans until the next time. Returns how many were forgotten in cells and control. */
export async function purgePlans(context: EngineContext, { retentionDays, signal }: Retention): Promise<number> {
  const { control, actor } = context;
  const { ids, kept } = await control.inTransaction(async (tx) => ({
    ids: (await listDataCenters(tx)).map(({ id }) => id),
    kept: await listPlansInUse(tx),
  }));
  const cells = await purgeInCells(context, ids, {
    failure: 'forget_plans_failed',
    forget: async (tx, dataCenter) => {
      const forgotten = await deletePlan(tx, { retentionDays, kept: listNumbers(kept, dataCenter) });
      return forgotten === undefined ? 0 : 1;
    },
    signal,
  });
  const inCells = Object.values(cells).reduce((sum, forgotten) => sum + forgotten, 0);
  return control.inTransaction(async (tx) => {
    const inControl = await deleteOldPlans(tx, retentionDays, kept);
    if (inCells + inControl > 0)
      await appendAudit(tx, { actor, action: 'forget_plans', details: { cells, control: inControl } });
    return inCells + inControl;
  });
}

function listNumbers(planNames: readonly string[], dataCenter: string): readonly bigint[] {
  const names = planNames.map(parsePlanName).filter((name) => name?.dataCenter === dataCenter);
  return names.flatMap((name) => name?.number ?? []);
}
