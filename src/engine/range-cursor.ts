// Cuts a cell's source into ranges that cover every possible id, one after another, for lanes that take them at once.
import type { CellTransaction } from '../stores/cell/cell-database.js';
import type { KeyRange } from '../stores/cell/key-range.js';
import { findSourceRangeEnd } from '../stores/cell/planning.js';

export interface RangeCursor {
  /** The next range, cut on the taker's transaction; undefined: there is none, or the cursor is closed. */
  take(tx: CellTransaction): Promise<KeyRange | undefined>;
  close(): void;
  /** A number for a range, from 1. */
  takeNumber(): number;
  /** The number taken last was not used. Only where nobody else takes numbers. */
  returnNumber(): void;
  /** How many numbers are taken. */
  readonly ranges: number;
}

/** Ranges of `size` orgs. All takers must see the same snapshot, or ranges overlap. */
export function createRangeCursor(size: number): RangeCursor {
  let lowerId: string | null = null;
  let over = false;
  let ranges = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const cut = async (tx: CellTransaction): Promise<KeyRange | undefined> => {
    if (over) return undefined;
    const range = { lowerId, upperId: await findSourceRangeEnd(tx, lowerId, size) };
    lowerId = range.upperId;
    over ||= lowerId === null;
    return range;
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
    takeNumber: () => {
      ranges += 1;
      return ranges;
    },
    returnNumber: () => {
      ranges -= 1;
    },
    get ranges() {
      return ranges;
    },
  };
}
