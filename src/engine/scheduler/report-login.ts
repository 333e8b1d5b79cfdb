// A scheduler's heartbeat in each cell: the cell records who it logs in as, and what that login may do there.
import { saveCellSchedulerSeen } from '../../stores/cell/batch/scheduler-logins.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';

/** A cell that cannot be written to is left out; the next report comes soon. */
export async function reportSchedulerLogin({ control, cells }: EngineContext): Promise<void> {
  const rows = await control.inTransaction(listDataCenters);
  await Promise.allSettled(
    rows.map(async ({ id }) => cells.get(id).inTransaction('fencer', (tx) => saveCellSchedulerSeen(tx))),
  );
}
