// Asks the workers of a data center for the plan of its requested rollout: a row in its cell, and its name in control.
import { requestPlan } from '../../stores/cell/plan/plan-requests.js';
import { type DataCenterRow, transitionDataCenter } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { planName } from './plan-id.js';

/** False when another scheduler was faster; a request that nobody names is taken up by the next. */
export async function requestPlanOf(context: EngineContext, row: DataCenterRow): Promise<boolean> {
  const { settings } = row;
  if (settings === null) return false;
  const number = await context.cells.get(row.id).inTransaction('fencer', (tx) =>
    requestPlan(tx, {
      cardHash: settings.cardHash,
      rangeSize: settings.batchSize,
      author: row.requestedBy ?? 'unknown',
    }),
  );
  return context.control.inTransaction((tx) => transitionDataCenter(tx, row, { planId: planName(row.id, number) }));
}
