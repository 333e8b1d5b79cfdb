// Keeps the connections of a worker's lanes open and ready: on a new connection the first batches of a run would wait
// while the server reads its catalogs and plans the rule. Writes nothing and holds no lock of ours.
import { insertAllotments, listWrittenByThisRun, readWrittenRange } from '../../stores/cell/batch/allotments.js';
import { claimBatch, completeBatch } from '../../stores/cell/batch/batches.js';
import { findOpenRun } from '../../stores/cell/batch/open-run.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { findCell } from '../../stores/cell/identity.js';
import { findFirstOrg } from '../../stores/cell/org/orgs.js';
import { NOTHING_WRITTEN } from '../batch/write-batch.js';
import type { WorkerContext } from '../context.js';

/** No run and no epoch has this number. */
const NONE = 0n;
const NO_BATCH = { runId: NONE, batchNo: 0, epoch: NONE, timeline: '' };

/**
 * Runs the statements of a batch on an empty range, in `lanes` connections at once. Does nothing in a cell that is not
 * ready.
 */
export async function prewarmConnections(context: WorkerContext, dataCenter: string, lanes: number): Promise<void> {
  const cell = context.cells.get(dataCenter);
  await Promise.allSettled(Array.from({ length: lanes }, () => cell.inTransaction('worker', runEmptyBatch)));
}

/** Only where an index holds the ids: finding one must cost nothing. */
async function runEmptyBatch(tx: CellTransaction): Promise<void> {
  const found = await findCell(tx);
  const orgId = found?.sourceSignature != null && found.sourceUnique ? await findFirstOrg(tx) : undefined;
  if (found?.activeCard == null || orgId === undefined) return;
  const empty = { lowerId: orgId, upperId: orgId, runId: NONE, cardHash: found.activeCard };
  await findOpenRun(tx, NONE);
  await claimBatch(tx, { runId: NONE, canaryPassed: true });
  await listWrittenByThisRun(tx, empty);
  await insertAllotments(tx, empty);
  await readWrittenRange(tx, empty, { unique: true });
  await completeBatch(tx, NO_BATCH, NOTHING_WRITTEN);
}
