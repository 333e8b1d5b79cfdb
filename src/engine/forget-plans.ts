// Forgets plans that are over, in the cells and in control. Approvals and audit stay; so do plans that somebody still needs.
import { isRolloutError } from '../kernel/rollout-error.js';
import { forgetPlan } from '../stores/cell/plan-retention.js';
import { appendAudit } from '../stores/control/audit.js';
import { listDataCenters } from '../stores/control/data-centers.js';
import { listKeptPlans } from '../stores/control/plan-list.js';
import { deleteOldPlans } from '../stores/control/plans.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import type { EngineContext } from './context.js';
import { parsePlanName } from './plan-name.js';

export interface Retention {
  /** `rollout.planRetention`, in days. */
  readonly retentionDays: number;
  readonly signal?: AbortSignal | undefined;
}

/** A plan may be large: so long may it take to forget one, in ms. */
const STATEMENT_MS = 60_000;

/** A cell that cannot be read keeps its plans until the next time. Returns how many were forgotten in cells and control. */
export async function forgetPlans(context: EngineContext, retention: Retention): Promise<number> {
  const { control, actor } = context;
  const { ids, kept } = await control.inTransaction(async (tx) => ({
    ids: (await listDataCenters(tx)).map(({ id }) => id),
    kept: await listKeptPlans(tx),
  }));
  const cells: Record<string, number> = {};
  for (const id of ids) cells[id] = await forgetInCell(context, id, kept, retention);
  const inCells = Object.values(cells).reduce((sum, forgotten) => sum + forgotten, 0);
  return control.inTransaction(async (tx) => {
    const inControl = await deleteOldPlans(tx, retention.retentionDays, kept);
    if (inCells + inControl > 0)
      await appendAudit(tx, { actor, action: 'forget_plans', details: { cells, control: inControl } });
    return inCells + inControl;
  });
}

async function forgetInCell(
  { cells, log }: EngineContext,
  dataCenter: string,
  keptNames: readonly string[],
  { retentionDays, signal }: Retention,
): Promise<number> {
  const names = keptNames.map(parsePlanName).filter((name) => name?.dataCenter === dataCenter);
  const kept = names.flatMap((name) => name?.number ?? []);
  let forgotten = 0;
  try {
    const cell = cells.get(dataCenter);
    const forget = () =>
      cell.inTransaction('fencer', (tx) => forgetPlan(tx, { retentionDays, kept }), { statementMs: STATEMENT_MS });
    while (!signal?.aborted && (await forget()) !== undefined) forgotten += 1;
  } catch (error) {
    const { kind, sqlstate } = classifyFailure(error);
    const code = isRolloutError(error) ? error.code : (sqlstate ?? kind);
    log.warn('forget_plans_failed', { data_center: dataCenter, code });
  }
  return forgotten;
}
