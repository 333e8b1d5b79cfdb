// Requests a reconciliation: a row in control. The scheduler starts it when the maintenance slot is free.
import { RolloutError } from '../../kernel/rollout-error.js';
import { appendAudit } from '../../stores/control/audit.js';
import { lockDataCenter } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { findReconcileRequest, insertReconcileRequest } from '../../stores/control/reconcile-requests.js';
import type { EngineContext } from '../context.js';

export interface ReconcileRequest {
  readonly dataCenter: string;
  readonly reason: string | null;
  /** `accepted`: falls beyond the limits of a nightly run are healed as well; needs a reason. */
  readonly falls: 'within_limits' | 'accepted';
}

export interface RequestedReconcile {
  readonly dataCenter: string;
  readonly requestId: bigint;
  readonly requestedBy: string;
  readonly falls: ReconcileRequest['falls'];
}

/** Throws invalid_argument, wrong_stage, reconcile_asked. */
export async function requestReconcile(
  context: Pick<EngineContext, 'control' | 'wakeUps' | 'actor'>,
  { dataCenter, reason, falls }: ReconcileRequest,
): Promise<RequestedReconcile> {
  if (falls === 'accepted' && (reason ?? '').trim() === '')
    throw new RolloutError('invalid_argument', {
      message: 'Falls beyond the limits of a nightly run are accepted only with a reason.',
      next: 'Add: --reason TEXT',
    });
  const requested = await context.control.inTransaction(async (tx) => {
    const row = await lockDataCenter(tx, dataCenter);
    if (row?.stage !== 'done') throw notDone(dataCenter, row?.stage);
    const open = await findReconcileRequest(tx, dataCenter);
    if (open !== undefined) throw alreadyAsked(dataCenter, open.requestedBy);
    const requestedBy = (await identifyPerson(tx, context.actor)).name;
    const allowFalls = falls === 'accepted';
    const requestId = await insertReconcileRequest(tx, { dataCenter, reason, allowFalls });
    const details = { accept_falls: allowFalls };
    await appendAudit(tx, { action: 'ask_reconcile', dataCenter, reason, details });
    return { dataCenter, requestId, requestedBy, falls };
  });
  await context.wakeUps.wakeSchedulers();
  return requested;
}

const notDone = (dataCenter: string, stage = 'unknown'): RolloutError =>
  new RolloutError('wrong_stage', {
    message: `Data center "${dataCenter}" is not done (stage ${stage}); only a done one is reconciled.`,
  });

const alreadyAsked = (dataCenter: string, by: string): RolloutError =>
  new RolloutError('reconcile_asked', {
    message: `A reconciliation of data center "${dataCenter}" was requested by ${by} and has not ended.`,
  });
