// Who keeps a pause from being acknowledged: the sessions in the cell that still hold its fence.
import { listFenceHolders as listHolders } from '../../stores/cell/batch/fence.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';

export interface FenceHolder {
  readonly pid: number;
  /** Start of its transaction; null where this login may not see it. */
  readonly since: Date | null;
  readonly application: string;
}

export async function listFenceHolders(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
): Promise<readonly FenceHolder[]> {
  try {
    return await context.cells.get(dataCenter).inTransaction('fencer', listHolders);
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
}
