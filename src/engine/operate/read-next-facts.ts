// What `status` needs, beside the decision, to name the next command of a data center where nothing is under way.
import type { NextFacts } from '../../domain/rollout/data-center-state.js';
import type { DataCenterSnapshot } from '../../domain/rollout/snapshot.js';
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { findNewestRepair } from '../../stores/cell/org/edited-allotments.js';
import { findUndoableRun } from '../../stores/cell/undo/undo-plans.js';
import type { EngineContext } from '../context.js';
import { findPlanToUse } from '../plan/find-plan-to-use.js';

/** What its cell does not say is left out. */
export async function readNextFacts(
  context: EngineContext,
  dc: DataCenterSnapshot,
  failure: string | null,
  now: Date,
): Promise<NextFacts> {
  const { id, stage, requested } = dc;
  if (!RESTING_STAGES.includes(stage) || requested) return { now, plan: undefined, failure, repair: undefined };
  const repair = await readIn(context, dc, findNewestRepair);
  const isAfterUndo = stage === 'undone' || failure === 'undo_forgotten';
  const older = isAfterUndo ? await readIn(context, dc, findUndoableRun) : undefined;
  return {
    now,
    plan: await findPlanToUse(context, id),
    failure,
    repair: repair && {
      state: repair.state,
      name: showProposalId({ kind: 'repair', dataCenter: id, proposalId: repair.repairId }),
    },
    undoable: older !== undefined,
  };
}

function readIn<T>(
  { cells }: EngineContext,
  { id, cell }: DataCenterSnapshot,
  read: (tx: CellTransaction) => Promise<T>,
): Promise<T | undefined> {
  if (cell?.kind !== 'read') return Promise.resolve(undefined);
  return cells
    .get(id)
    .inTransaction('state', read)
    .catch(() => undefined);
}
