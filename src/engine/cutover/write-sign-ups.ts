// Writes the allotments of sign-ups that could not be written in the product's own transaction, as the change feed
// writes: under the shared fence lock, and only while single writes are allowed.
import {
  hasPendingSignUps,
  type WrittenSignUps,
  writePendingSignUps,
} from '../../stores/cell/cutover/pending-sign-ups.js';
import type { WorkerContext } from '../context.js';

const NONE: WrittenSignUps = { tried: 0, written: 0 };
/** The function ends by itself after a second; one org of a slow view may take longer than that. */
const STATEMENT_MS = 10_000;

/** Those that wait longest, for about a second. None where single writes are not allowed now. */
export async function writeSignUps(
  { cells }: Pick<WorkerContext, 'cells'>,
  dataCenter: string,
): Promise<WrittenSignUps> {
  const cell = cells.get(dataCenter);
  return cell.inTransaction('worker', async (tx) => ((await hasPendingSignUps(tx)) ? writePendingSignUps(tx) : NONE), {
    statementMs: STATEMENT_MS,
  });
}
