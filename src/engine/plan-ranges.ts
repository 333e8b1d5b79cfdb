// Plans a cell range by range, in the transaction that it is given; the ranges cover every possible id.
import { RolloutError } from '../kernel/rollout-error.js';
import { hasAllotments } from '../stores/cell/allotments.js';
import type { CellTransaction } from '../stores/cell/cell-database.js';
import type { CellRow } from '../stores/cell/identity.js';
import type { KeyRange } from '../stores/cell/key-range.js';
import { findCanaries } from '../stores/cell/plan-canaries.js';
import { insertUnreadableRange, planRange, type RangeQuestion } from '../stores/cell/plan-ranges.js';
import { findSourceRangeEnd } from '../stores/cell/planning.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import type { PlanCollection } from './collect-plan.js';
import type { PlanHooks, PlanQuestion } from './plan-question.js';

/** `careful`: some org cannot be read, so each range has a savepoint before it. */
export type Care = 'quick' | 'careful';

export interface Scan {
  readonly question: PlanQuestion;
  readonly hooks: PlanHooks;
  readonly care: Care;
  readonly collection: PlanCollection;
  readonly planId: bigint | null;
  readonly editions: readonly string[];
  readonly usage: boolean;
  readonly protects: boolean;
  readonly found: CellRow;
}

/** Returns how many ranges there are; together they cover every possible id. */
export async function planRanges(tx: CellTransaction, scan: Scan): Promise<number> {
  let lowerId: string | null = null;
  let rangeNo = 0;
  do {
    if (scan.hooks.signal?.aborted)
      throw new RolloutError('plan_stopped', {
        message: `The planning of "${scan.question.dataCenter}" was stopped; no plan was made.`,
      });
    rangeNo += 1;
    lowerId = await planNext(tx, scan, rangeNo, lowerId, scan.question.rangeSize);
    scan.hooks.onProgress?.(scan.collection.orgs);
  } while (lowerId !== null);
  return rangeNo;
}

/** Plans the range that begins at `lowerId` and returns where it ends. */
async function planNext(
  tx: CellTransaction,
  scan: Scan,
  rangeNo: number,
  lowerId: string | null,
  size: number,
): Promise<string | null> {
  const upperId = await findSourceRangeEnd(tx, lowerId, size);
  const range = { lowerId, upperId };
  if (scan.care === 'quick') {
    await addRange(tx, scan, rangeNo, range);
    return upperId;
  }
  try {
    await tx.transaction((nested) => addRange(nested, scan, rangeNo, range));
    return upperId;
  } catch (error) {
    if (classifyFailure(error).kind !== 'bad_value') throw error;
    if (size > 1) return planNext(tx, scan, rangeNo, lowerId, Math.max(1, Math.floor(size / 8)));
    scan.collection.addUnreadable(1);
    if (scan.planId !== null) await insertUnreadableRange(tx, range, { planId: scan.planId, rangeNo });
    return upperId;
  }
}

/** Counts a range in, and finds the canaries of the branches that are new in it. */
async function addRange(tx: CellTransaction, scan: Scan, rangeNo: number, range: KeyRange): Promise<void> {
  const question = await askRange(tx, scan, rangeNo, range);
  const planned = await planRange(tx, range, question);
  const branches = scan.collection.listNewBranches(planned);
  const canaries = branches.length === 0 ? [] : await findCanaries(tx, range, question, branches);
  scan.collection.add(planned);
  scan.collection.addCanaries(canaries);
}

async function askRange(
  tx: CellTransaction,
  { planId, question, editions, usage, protects, found, collection }: Scan,
  rangeNo: number,
  range: KeyRange,
): Promise<RangeQuestion> {
  return {
    planId,
    rangeNo,
    cardHash: question.card.hash,
    editions,
    rule: (await hasAllotments(tx, range)) ? 'decided' : 'decided_first',
    unique: found.sourceUnique,
    usage,
    protects,
    ranks: collection.ranks,
  };
}
