// Cuts a cell's source into ranges that cover every possible id, one after another, for lanes that take them at once.
import type { CellTransaction } from '../stores/cell/cell-database.js';
import type { KeyRange } from '../stores/cell/key-range.js';
import { listSourceRangeEnds } from '../stores/cell/source-ranges.js';

export interface RangeCursor {
  /** The next consecutive ranges, cut on the taker's transaction; empty: there are none, or the cursor is closed. */
  take(tx: CellTransaction): Promise<readonly KeyRange[]>;
  close(): void;
  /** Numbers for so many ranges, from 1; returns the first. */
  takeNumbers(count: number): number;
  /** The number taken last was not used. Only where nobody else takes numbers. */
  returnNumber(): void;
  /** How many numbers are taken. */
  readonly ranges: number;
}

/**
 * What one statement plans at most, so that ranges share what a statement costs by itself and lanes still end at about the
 * same time. The first ones plan less: until a list is full every org ranks for it, and most branches are new.
 */
const RANGES_AT_ONCE = 3;

/** Ranges of `size` orgs. All takers must see the same snapshot, or ranges overlap. */
export function createRangeCursor(size: number): RangeCursor {
  let lowerId: string | null = null;
  let over = false;
  let ranges = 0;
  let turn: Promise<unknown> = Promise.resolve();
  let takes = 0;
  const cut = async (tx: CellTransaction): Promise<readonly KeyRange[]> => {
    if (over) return [];
    takes += 1;
    const ends = await listSourceRangeEnds(tx, lowerId, { size, most: Math.min(takes, RANGES_AT_ONCE) });
    const cuts = ends.map((upperId, n): KeyRange => ({ lowerId: n === 0 ? lowerId : (ends[n - 1] ?? null), upperId }));
    lowerId = ends.at(-1) ?? null;
    over ||= lowerId === null;
    return cuts;
  };
  return {
    // one at a time: where a range begins is known when the one before it is cut
    take: (tx) => {
      const taken = turn.then(() => cut(tx));
      turn = taken.catch(() => undefined);
      return taken;
    },
    close: () => {
      over = true;
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
