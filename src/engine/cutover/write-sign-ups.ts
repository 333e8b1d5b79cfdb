// Writes the allotments of sign-ups that could not be written in the product's own transaction, as the change feed
// writes: under the shared fence lock, and only while single writes are allowed.
import { decideSignUpRest } from '../../domain/cutover/sign-up-writing.js';
import {
  readDueSignUps,
  saveSignUpRead,
  type WrittenSignUps,
  writePendingSignUps,
} from '../../stores/cell/cutover/pending-sign-ups.js';
import type { WorkerContext } from '../context.js';

export interface SignUpsOutcome extends WrittenSignUps {
  /** Before the source may be read for them again, in ms; 0: at once. */
  readonly restMs: number;
}

/** The function ends by itself after a second; one read of a slow view may take longer than that. */
const STATEMENT_MS = 10_000;

/** Those that wait longest, for about a second. None where single writes are not allowed now, or the source rests. */
export async function writeSignUps(
  { cells }: Pick<WorkerContext, 'cells'>,
  dataCenter: string,
): Promise<SignUpsOutcome> {
  const cell = cells.get(dataCenter);
  const { due, restMs } = await cell.inTransaction('worker', readDueSignUps);
  if (!due || restMs > 0) return { tried: 0, written: 0, readMs: null, failure: null, restMs };
  const outcome = await cell.inTransaction('worker', writePendingSignUps, { statementMs: STATEMENT_MS });
  // nothing was read: another worker writes, or single writes are not allowed
  if (outcome.readMs === null) return { ...outcome, restMs: 0 };
  const read = { ...outcome, restMs: decideSignUpRest(outcome.readMs, outcome.tried) };
  await cell.inTransaction('worker', (tx) => saveSignUpRead(tx, read));
  return read;
}
