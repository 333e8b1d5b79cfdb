// Keeps the connections of a worker's lanes open and ready: a new one would make the first batches of a run wait while the
// server reads its catalogs and plans the rule. Writes nothing and holds no lock of ours.
import { insertAllotments, readWritten } from '../stores/cell/allotments.js';
import type { CellTransaction } from '../stores/cell/cell-database.js';
import { findCell } from '../stores/cell/identity.js';
import { findFirstOrg } from '../stores/cell/orgs.js';
import type { WorkerContext } from './context.js';

const NO_RUN = 0n;

/** Runs a batch's statements on an empty range in so many connections at once; a cell that is not ready is left alone. */
export async function warmLanes(context: WorkerContext, dataCenter: string, lanes: number): Promise<void> {
  const cell = context.cells.get(dataCenter);
  await Promise.allSettled(Array.from({ length: lanes }, () => cell.inTransaction('worker', runOnNothing)));
}

/** Only where ids are an index: looking for one must cost nothing. */
async function runOnNothing(tx: CellTransaction): Promise<void> {
  const found = await findCell(tx);
  const orgId = found?.sourceSignature != null && found.sourceUnique ? await findFirstOrg(tx) : undefined;
  if (found?.activeCard == null || orgId === undefined) return;
  const empty = { lowerId: orgId, upperId: orgId, runId: NO_RUN, cardHash: found.activeCard };
  await insertAllotments(tx, empty);
  await readWritten(tx, empty, { unique: true, pinned: false });
}
