// What the newest run of a data center quarantined: counts by reason, and the orgs, read from the cell for a person.
import { countQuarantine } from '../../stores/cell/batch/progress.js';
import { findNewestRun, listQuarantinedOrgs, type QuarantinedOrg } from '../../stores/cell/batch/quarantine.js';
import type { EngineContext } from '../context.js';

export interface QuarantineReport {
  readonly dataCenter: string;
  /** Null: the cell has had no run yet. */
  readonly runId: bigint | null;
  readonly reasons: readonly { readonly reason: string; readonly orgs: number }[];
  /** At most `limit`. */
  readonly orgs: readonly QuarantinedOrg[];
}

/** Reads as `reader`, which a listing of orgs needs. */
export async function listQuarantine(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  limit: number,
): Promise<QuarantineReport> {
  return context.cells.get(dataCenter).inTransaction('reader', async (tx) => {
    const runId = await findNewestRun(tx);
    if (runId === undefined) return { dataCenter, runId: null, reasons: [], orgs: [] };
    const reasons = await countQuarantine(tx, runId);
    return { dataCenter, runId, reasons, orgs: await listQuarantinedOrgs(tx, runId, limit) };
  });
}
