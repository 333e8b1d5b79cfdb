// What a second person approves: the undo that waits in its cell, as it was computed and kept. Writes nothing.
import { advise, command } from '../../kernel/advice.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { findUndoPlan, findWaitingUndo, listPlannedFalls } from '../../stores/cell/undo/undo-plans.js';
import { getDataCenter } from '../data-center.js';
import { emptyReport, readOlder, type UndoContext, type UndoQuestion, type UndoReport } from './preview-undo.js';

/** Its conflicts are counted, and not named: they are looked up again as it runs. Throws undo_unknown. */
export async function showUndoPlan(context: UndoContext, { dataCenter, limit }: UndoQuestion): Promise<UndoReport> {
  const row = await context.control.inTransaction((tx) => getDataCenter(tx, dataCenter));
  const kept = await context.cells.get(dataCenter).inTransaction('override', async (tx) => {
    const undoId = await findWaitingUndo(tx);
    const found = undoId === undefined ? undefined : await findUndoPlan(tx, undoId);
    return found && { ...found, falling: await listPlannedFalls(tx, found.plan.undoId, limit) };
  });
  if (kept === undefined)
    throw new RolloutError('undo_unknown', {
      message: `No undo waits in data center "${dataCenter}".`,
      next: advise`See what can be undone: ${command`undo --dc ${dataCenter}`}`,
    });
  const { plan, counts, falling } = kept;
  const { undoes, author, approver, reason, digest } = plan;
  const undoId = showProposalId({ kind: 'undo', dataCenter, proposalId: plan.undoId });
  return {
    ...{ ...emptyReport(row), ...(await readOlder(context, dataCenter, undoes)) },
    ...{ undoId, undoes, author, approver, reason, digest, counts, falling },
    state: plan.state === 'accepted' ? 'requested' : 'proposed',
  };
}
