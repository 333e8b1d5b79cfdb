// Cuts a cell's source into consecutive ranges that cover every possible id, for connections that take them
// concurrently.
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import type { KeyRange } from '../../stores/cell/key-range.js';
import { listSourceRangeEnds } from '../../stores/cell/source-ranges.js';

export interface RangeCursor {
  /** The next consecutive ranges, cut on the taker's transaction; empty: there are none, or the cursor is closed. */
  take(tx: CellTransaction): Promise<readonly KeyRange[]>;
  close(): void;
  /** Takes numbers for `count` ranges, from 1 on; returns the first. */
  takeNumbers(count: number): number;
  /** Gives back the number taken last. Only where nobody else takes numbers. */
  returnNumber(): void;
  /** How many numbers are taken. */
  readonly ranges: number;
}

/**
 * How many ranges one statement plans at most: they share its fixed cost, and connections still end at about the same
 * time. The first statements plan fewer: until a list is full every org ranks for it, and most branches are new.
 */
const RANGES_AT_ONCE = 3;

/** How many ends of ranges are read together. */
const CUT_AT_ONCE = 12;

/** Ranges of `size` orgs. All takers must see the same snapshot, or ranges overlap. */
export function createRangeCursor(size: number): RangeCursor {
  let lowerId: string | null = null;
  let ahead: KeyRange[] = [];
  let ended = false;
  let closed = false;
  let ranges = 0;
  let turn: Promise<unknown> = Promise.resolve();
  let takes = 0;
  const cut = async (tx: CellTransaction): Promise<readonly KeyRange[]> => {
    if (ended || closed) return [];
    const from = lowerId;
    const ends = await listSourceRangeEnds(tx, from, { size, limit: CUT_AT_ONCE });
    lowerId = ends.at(-1) ?? null;
    ended = lowerId === null;
    return ends.map((upperId, n) => ({ lowerId: n === 0 ? from : (ends[n - 1] ?? null), upperId }));
  };
  const takeNext = async (tx: CellTransaction): Promise<readonly KeyRange[]> => {
    takes += 1;
    if (ahead.length === 0) ahead = [...(await cut(tx))];
    return closed ? [] : ahead.splice(0, Math.min(Math.ceil(takes / 2), RANGES_AT_ONCE));
  };
  return {
    // one at a time: a range begins where the one before it ends
    take: (tx) => {
      const taken = turn.then(() => takeNext(tx));
      turn = taken.catch(() => undefined);
      return taken;
    },
    close: () => {
      closed = true;
    },
    takeNumbers: (count) => {
      ranges += count;
      return ranges - count + 1;
    },
    returnNumber: () => {
      ranges -= 1;
    },
    get ranges() {
      return ranges;
    },
  };
}
