// Finds the row of a data center that a person named in control.
import { RolloutError } from '../kernel/rollout-error.js';
import type { ControlTransaction } from '../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters, lockDataCenter } from '../stores/control/data-centers.js';

/** Throws unknown_data_center. */
export async function getDataCenter(tx: ControlTransaction, dataCenter: string): Promise<DataCenterRow> {
  const row = (await listDataCenters(tx)).find(({ id }) => id === dataCenter);
  if (row === undefined) throw unknownDataCenter(dataCenter);
  return row;
}

/** For a decision that will be written in this transaction. Throws unknown_data_center. */
export async function lockKnownDataCenter(tx: ControlTransaction, dataCenter: string): Promise<DataCenterRow> {
  const row = await lockDataCenter(tx, dataCenter);
  if (row === undefined) throw unknownDataCenter(dataCenter);
  return row;
}

export const unknownDataCenter = (id: string): RolloutError =>
  new RolloutError('unknown_data_center', { message: `The control database knows no data center "${id}".` });
