// Plans a cell range by range, in the given transaction.
import type { Clock } from '../../kernel/clock.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import type { KeyRange } from '../../stores/cell/key-range.js';
import { findCanaries } from '../../stores/cell/plan/plan-canaries.js';
import { insertUnreadableRange, planKeyRange } from '../../stores/cell/plan/plan-ranges.js';
import { findSourceRangeEnd } from '../../stores/cell/source-ranges.js';
import { ALIKE } from '../../stores/cell/unreadable.js';
import { isRowFailure } from '../../stores/postgres-failure.js';
import type { PlanCollection } from './collect-plan.js';
import type { PlanHooks, PlanQuestion } from './plan-question.js';
import type { RangeCursor } from './range-cursor.js';

/** `careful`: some org cannot be read, as `cause` says, so each range has a savepoint before it. */
export type ReadMode = { readonly kind: 'quick' } | { readonly kind: 'careful'; readonly cause: unknown };

export interface Scan {
  readonly clock: Clock;
  readonly question: PlanQuestion;
  readonly hooks: PlanHooks;
  readonly readMode: ReadMode;
  readonly collection: PlanCollection;
  readonly cursor: RangeCursor;
  readonly planId: bigint | null;
  readonly editions: readonly string[];
}

/** Plans the ranges that the cursor gives, to its end or until it is closed; several connections may do so at once. */
export async function planRanges(tx: CellTransaction, scan: Scan): Promise<void> {
  for (let ranges = await scan.cursor.take(tx); ranges.length > 0; ranges = await scan.cursor.take(tx)) {
    if (scan.hooks.signal?.aborted)
      throw new RolloutError('plan_stopped', {
        message: `The planning of "${scan.question.dataCenter}" was stopped; no plan was made.`,
      });
    if (scan.readMode.kind === 'quick') await addRanges(tx, scan, ranges);
    else for (const range of ranges) await planRangeByRange(tx, scan, range, scan.cursor.size.orgs);
    scan.hooks.onProgress?.(scan.collection.orgs);
  }
}

/** One range. Where it cannot be read, it is split further, until only the orgs that cannot be read are left out. */
async function planRangeByRange(tx: CellTransaction, scan: Scan, range: KeyRange, size: number): Promise<void> {
  try {
    await tx.transaction((nested) => addRanges(nested, scan, [range]));
  } catch (error) {
    if (!isRowFailure(error)) throw error;
    scan.cursor.returnNumber();
    if (size > 1) await planPieces(tx, scan, range, Math.max(1, Math.floor(size / 8)));
    else if (isUnreadable(scan.collection, ALIKE.mostOfRange + 1)) throw error;
    else await addUnreadable(tx, scan, range);
  }
}

/** At least so many orgs were read, and none of them can be. */
export const isUnreadable = ({ orgs, unreadable }: PlanCollection, least: number): boolean =>
  orgs >= least && unreadable === orgs;

async function planPieces(tx: CellTransaction, scan: Scan, range: KeyRange, size: number): Promise<void> {
  let { lowerId } = range;
  for (let isLast = false; !isLast; ) {
    const { upperId } = range;
    const end: string | null = await findSourceRangeEnd(tx, lowerId, { size, upperId, mode: 'careful' });
    isLast = end === null;
    await planRangeByRange(tx, scan, { lowerId, upperId: end ?? range.upperId }, size);
    lowerId = end;
  }
}

async function addUnreadable(tx: CellTransaction, scan: Scan, range: KeyRange): Promise<void> {
  const rangeNo = scan.cursor.takeNumbers(1);
  if (scan.planId !== null)
    await insertUnreadableRange(tx, range, { planId: scan.planId, rangeNo, cardHash: scan.question.card.hash });
  scan.collection.addUnreadable(1);
}

/**
 * Adds ranges to the collection, with the canaries of branches that no earlier range has; a what-if has no canaries.
 */
async function addRanges(tx: CellTransaction, scan: Scan, ranges: readonly KeyRange[]): Promise<void> {
  const { collection, planId, editions, cursor, clock } = scan;
  const before = collection.orgs;
  const began = clock.now().getTime();
  const firstNo = cursor.takeNumbers(ranges.length);
  const planned = await planKeyRange(tx, ranges, {
    planId,
    firstNo,
    cardHash: scan.question.card.hash,
    editions,
    ranks: collection.ranks,
  });
  const plannedAt = clock.now().getTime();
  const branches = planId === null ? [] : collection.listNewBranches(planned, firstNo);
  // in every range: the first one with a branch may have only protected orgs of it
  const numbers = ranges.map((_, n) => firstNo + n);
  const canaries =
    planId === null || branches.length === 0
      ? []
      : await findCanaries(tx, { planId, editions, ranges: numbers, branches });
  collection.add(planned, firstNo);
  collection.addCanaries(canaries);
  cursor.record({ durationMs: plannedAt - began, orgs: collection.orgs - before });
}
