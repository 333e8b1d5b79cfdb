// How much of a rollout was work and how much was waiting, as far as the log of holds reaches. Reads control.
import { type Span, type SplitDuration, splitDuration } from '../domain/rollout/split-duration.js';
import type { ControlTransaction } from '../stores/control/control-database.js';
import { listLoggedHolds, readLogStart } from '../stores/control/hold-log.js';

export type { SplitDuration } from '../domain/rollout/split-duration.js';

/** Null: the log does not reach back to its beginning. `newest`: the newest rollout of the data center. */
export async function readSplitDuration(
  tx: ControlTransaction,
  dataCenter: string,
  { newest, ...span }: Span & { readonly newest: boolean },
): Promise<SplitDuration | null> {
  const { began, purgedBefore } = await readLogStart(tx);
  if (span.from < began || (!newest && span.from < purgedBefore)) return null;
  return splitDuration(span, await listLoggedHolds(tx, dataCenter, span));
}
