// Requests from the workers of a data center the plan of its requested rollout: a row in its cell, and its id in
// control.
import { requestPlan } from '../../stores/cell/plan/plan-requests.js';
import {
  type DataCenterVersion,
  type RequestedRollout,
  transitionDataCenter,
} from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { planName } from './plan-id.js';

/** False when another scheduler was faster; the next request reuses a row that control does not refer to. */
export async function requestPlanOf(
  context: EngineContext,
  row: DataCenterVersion & Pick<RequestedRollout, 'settings' | 'requestedBy'>,
): Promise<boolean> {
  const { settings } = row;
  if (settings === null) return false;
  const number = await context.cells.get(row.id).inTransaction('fencer', (tx) =>
    requestPlan(tx, {
      cardHash: settings.cardHash,
      rangeSize: settings.batchSize,
      sizing: settings.batchSizing ?? 'fixed',
      author: row.requestedBy ?? 'unknown',
    }),
  );
  return context.control.inTransaction((tx) => transitionDataCenter(tx, row, { planId: planName(row.id, number) }));
}
