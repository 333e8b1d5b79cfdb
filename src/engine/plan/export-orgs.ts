// Streams every org of a plan as CSV to whoever saves it. The rows go from the cell to that place and nowhere else.
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { streamOrgs } from '../../stores/cell/plan/org-export.js';

/** Takes the CSV to its end; a rejection ends the export. */
export type SaveOrgs = (csv: Readable) => Promise<void>;

/**
 * Streams every org of the transaction's snapshot into `save`, with backpressure. `tx`: as planner, REPEATABLE READ,
 * the one that reads the plan, so that both agree. Returns when nothing of it runs on `tx` any more. Rejects with what
 * `save` or the database threw.
 */
export async function exportOrgs(tx: CellTransaction, cardHash: string, save: SaveOrgs): Promise<void> {
  const csv = await streamOrgs(tx, cardHash);
  try {
    await save(csv);
  } finally {
    csv.destroy();
    await finished(csv).catch(() => undefined); // an early end is intended
  }
}
