// Gives a cell the key that control seals approvals with, lets its plans go on after the last number that control
// knows, and registers in control the overrides of an earlier version.
// As the owner of both. Control has the key first; a cell with another one gets it by running this again.
import { listOpenOverrides } from '../../stores/cell/org/overrides.js';
import { raisePlanNumbers, saveSealKey } from '../../stores/cell/setup/seal-key.js';
import { adoptCellProposal } from '../../stores/control/cell-proposals.js';
import { readNewestPlanNumber } from '../../stores/control/plans.js';
import { getSealKey } from '../../stores/control/seals.js';
import type { EngineContext } from '../context.js';

/** `new`: makes another key; seals that were made with the old one are wrong from then on, and are made again. */
export async function shareSealKey(
  { control, cells }: Pick<EngineContext, 'control' | 'cells'>,
  dataCenter: string,
  which: 'existing' | 'new',
): Promise<void> {
  const cell = cells.get(dataCenter);
  // the cell commits before control does: after a crash in between the next init gives it control's key
  await control.inTransaction(async (tx) => {
    const key = await getSealKey(tx, dataCenter, which);
    const newest = await readNewestPlanNumber(tx, dataCenter);
    const waiting = await cell.asOwner(async (owner) => {
      await saveSealKey(owner, key);
      await raisePlanNumbers(owner, newest);
      return listOpenOverrides(owner);
    });
    for (const { overrideId, digest, author } of waiting)
      await adoptCellProposal(tx, { dataCenter, kind: 'override', proposalId: overrideId, digest }, { author });
  });
}
