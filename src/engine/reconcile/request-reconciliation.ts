// Requests a reconciliation: a row in control. The scheduler starts it when the maintenance slot is free. Falls beyond
// the limits of a night are accepted by two people: accept-falls.ts.
import { adviseFitting } from '../../domain/rollout/fitting-verbs.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { type DataCenterRow, lockDataCenter } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { findReconcileRequest, insertReconcileRequest } from '../../stores/control/reconcile-requests.js';
import type { EngineContext } from '../context.js';
import { rejectChanged, type SeenRevision } from '../data-center.js';

export interface ReconcileRequest extends SeenRevision {
  readonly dataCenter: string;
  readonly reason: string | null;
}

export interface RequestedReconcile {
  readonly dataCenter: string;
  readonly requestId: bigint;
  readonly requestedBy: string;
}

/** Throws wrong_stage, revision_changed, reconcile_asked. */
export async function requestReconcile(
  context: Pick<EngineContext, 'control' | 'wakeUps' | 'actor'>,
  { dataCenter, reason, ...seen }: ReconcileRequest,
): Promise<RequestedReconcile> {
  const requested = await context.control.inTransaction(async (tx) => {
    rejectChanged(await lockDoneDataCenter(tx, dataCenter), seen);
    const open = await findReconcileRequest(tx, dataCenter);
    if (open !== undefined) throw reconcileAsked(dataCenter, open.requestedBy);
    const requestedBy = (await identifyPerson(tx, context.actor)).name;
    const requestId = await insertReconcileRequest(tx, { dataCenter, reason });
    await appendAudit(tx, { action: 'ask_reconcile', dataCenter, reason, details: { accept_falls: false } });
    return { dataCenter, requestId, requestedBy };
  });
  await context.wakeUps.wakeSchedulers();
  return requested;
}

/** Throws wrong_stage. */
export async function lockDoneDataCenter(tx: ControlTransaction, dataCenter: string): Promise<DataCenterRow> {
  const row = await lockDataCenter(tx, dataCenter);
  if (row?.stage === 'done') return row;
  throw new RolloutError('wrong_stage', {
    message: `Data center "${dataCenter}" is not done (stage ${row?.stage ?? 'unknown'}); only a done one is reconciled.`,
    ...(row && { next: adviseFitting(dataCenter, row) }),
  });
}

export const reconcileAsked = (dataCenter: string, by: string): RolloutError =>
  new RolloutError('reconcile_asked', {
    message: `A reconciliation of data center "${dataCenter}" was requested by ${by} and has not ended.`,
  });
