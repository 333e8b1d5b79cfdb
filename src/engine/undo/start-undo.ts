// Starts the run of an undo: its epoch, its request and the slot are taken in one transaction of control. The stage
// moves here, before anything is taken back: an auditor, a night or the feed would put it there again.
import { readFence } from '../../stores/cell/batch/fence.js';
import { findCell } from '../../stores/cell/identity.js';
import { isUndoAccepted } from '../../stores/cell/undo/undo-plans.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type DataCenterRow, transitionDataCenter } from '../../stores/control/data-centers.js';
import { insertControlRun } from '../../stores/control/runs.js';
import {
  claimUndoRequest,
  endUndoRequest,
  findOpenUndo,
  type UndoRequest,
} from '../../stores/control/undo-requests.js';
import type { EngineContext } from '../context.js';
import { startUnderNewEpoch, VersionConflict } from '../new-epoch.js';

/** False, with nothing written: another scheduler was faster, or the slot is taken. */
export async function startUndo(
  context: EngineContext,
  row: Pick<DataCenterRow, 'id' | 'version' | 'stage'>,
  reason: string,
): Promise<boolean> {
  const request = await context.control.inTransaction((tx) => findOpenUndo(tx, row.id));
  if (request === undefined || request.runId !== null) return false;
  const seen = await context.cells.get(row.id).inTransaction('fencer', async (tx) => ({
    epoch: (await readFence(tx)).epoch,
    card: (await findCell(tx))?.activeCard ?? '',
    accepted: await isUndoAccepted(tx, request),
  }));
  // its cell was set back, or another plan took its place
  if (!seen.accepted) return dropRequest(context, request, 'its cell has no such accepted undo');
  return startUnderNewEpoch(context, seen.epoch, async (tx, runId) => {
    await insertControlRun(tx, {
      ...{ runId, dataCenter: row.id, kind: 'undo', cardHash: seen.card, planId: null },
      ...{ requestedBy: request.requestedBy, reason: request.reason },
    });
    // first: the database lets a data center be undone only with its request
    if (!(await claimUndoRequest(tx, request.requestId, runId))) throw new VersionConflict();
    const change = {
      ...({ stage: 'undoing', intent: 'run', epoch: runId, runId, fenceConfirmedClosed: false } as const),
      ...{ failure: null, verifiedAt: null, bakeUntil: null, singleWrites: false },
    };
    if (!(await transitionDataCenter(tx, row, change))) throw new VersionConflict();
    const at = { dataCenter: row.id, runId, epoch: runId, reason };
    await appendAudit(tx, { ...at, action: 'open_fence' });
    await appendAudit(tx, {
      ...at,
      action: 'transition',
      details: { from: row.stage, to: 'undoing' },
    });
  });
}

/** Ends a request that was not started; false: there is none. */
export async function dropUndo(context: EngineContext, dataCenter: string, reason: string): Promise<boolean> {
  const request = await context.control.inTransaction((tx) => findOpenUndo(tx, dataCenter));
  return request?.runId === null && dropRequest(context, request, reason);
}

function dropRequest({ control }: EngineContext, request: UndoRequest, reason: string): Promise<boolean> {
  return control.inTransaction(async (tx) => {
    const ended = await endUndoRequest(tx, request.requestId);
    if (ended) await appendAudit(tx, { action: 'drop_undo', dataCenter: request.dataCenter, reason });
    return ended;
  });
}
