// The approvals that control remembers, for people. Reads only.
import { type ApprovalRow, listApprovals as list } from '../../stores/control/approvals.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';

/** The newest `most`, newest first; of one data center, or of all. */
export async function listApprovals(
  context: Pick<EngineContext, 'control'>,
  most: number,
  dataCenter?: string,
): Promise<readonly ApprovalRow[]> {
  try {
    return await context.control.inTransaction((tx) => list(tx, most, dataCenter));
  } catch (error) {
    throw explainFailure(error, 'The control database');
  }
}
