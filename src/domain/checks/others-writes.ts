// What the transactions of others say: how many they write in a second beside our work, against what they wrote before.
// Where they write as much as ever, they lose nothing by us, however busy the processors are. Nor do they where nobody
// else works: then our own batches and the server's housekeeping wait for each other.

/** Transactions a second that write, of everybody on the server. */
export interface OthersWrites {
  /** Since the look before; null: not known. */
  readonly perSecond: number | null;
  /** Before our work began, or the most since then; null: not known. */
  readonly calmPerSecond: number | null;
  /** How many of their sessions work at a time, the mean of some seconds; null: not known. */
  readonly activeSessions: number | null;
}

type Writes = Pick<OthersWrites, 'perSecond' | 'calmPerSecond'>;

/** Fewer say nothing: they change by more than our limit from second to second. */
const BUSY_FROM = 200;
/** So much of it lost is the limit of the probe. */
const LOSS_LIMIT = 0.15;
/** The part of what is usual that counts after each look: traffic that falls by itself is not our doing. */
const KEPT = 0.98;
/** Of its limit, so that it slows and never holds: others may have stopped by themselves. */
const MOST_USE = 1.9;

/** Others write so much that it can be told whether they lose something by us. */
export const isBusy = ({ calmPerSecond }: Writes): boolean => (calmPerSecond ?? 0) >= BUSY_FROM;

/** More than what our own processes ask beside our lanes. */
const WORKING_FROM = 0.5;

/** Others work, or it is not known: how long our batches wait for a processor then tells what others lose. */
export const isShared = (others: OthersWrites): boolean =>
  isBusy(others) || others.activeSessions === null || others.activeSessions >= WORKING_FROM;

/**
 * What is usual, seen while nothing of ours works: the newest count alone, since a peak of a moment ago would look like
 * a loss. Null where it cannot be told.
 */
export const seeCalm = ({ perSecond }: Writes): number | null => perSecond;

/** What is usual, seen beside our work, of which it says too little by itself. */
export const keepCalm = ({ perSecond, calmPerSecond }: Writes): number | null =>
  calmPerSecond === null ? null : Math.max(perSecond ?? 0, KEPT * calmPerSecond);

/** What others lose, as a value of the probe with this limit: 1 is nothing. Null: it cannot be told. */
export function readLoss(writes: Writes, limit: number): number | null {
  const { perSecond, calmPerSecond } = writes;
  if (perSecond === null || calmPerSecond === null || !isBusy(writes)) return null;
  const use = Math.max(0, 1 - perSecond / calmPerSecond) / LOSS_LIMIT;
  return 1 + Math.min(MOST_USE, use) * (limit - 1);
}
