// Cuts a cell's source into consecutive ranges that cover every possible id, for connections that take them
// concurrently.
import { type BatchSize, CHOSEN_SIZES, type MeasuredBatch } from '../../domain/plan/batch-size.js';
import type { Clock } from '../../kernel/clock.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import type { KeyRange } from '../../stores/cell/key-range.js';
import { listSourceRangeEnds, type SourceReadMode } from '../../stores/cell/source-ranges.js';

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
  /** How long what was taken took to plan. */
  record(planned: MeasuredBatch): void;
  /** Of the ranges that are cut from now on. */
  readonly size: BatchSize;
}

/** Chooses the size of ranges; until it can, they have `sampleOrgs`. */
export interface SizeChoice {
  readonly sampleOrgs: number;
  /** From those that were planned so far, in their order. */
  choose(planned: readonly MeasuredBatch[]): BatchSize | undefined;
}

/**
 * How many ranges one statement plans at most: they share its fixed cost, and connections still end at about the same
 * time. The first statements plan fewer: until a list is full every org ranks for it, and most branches are new.
 */
const RANGES_AT_ONCE = 3;
/** As many orgs as in so many of the largest ranges that planning chooses; no statement plans more than 16 ranges. */
const MOST_RANGES_AT_ONCE = 12;

const countAtOnce = (orgs: number): number =>
  Math.min(MOST_RANGES_AT_ONCE, Math.max(RANGES_AT_ONCE, Math.floor((RANGES_AT_ONCE * CHOSEN_SIZES.most) / orgs)));

/** How many ends of ranges are read together, and of those that are planned to measure. */
const CUT_AT_ONCE = { sized: 12, sample: 2 } as const;

/** Reading them takes no longer than this: of a view that is computed as a whole each takes as long as all orgs. */
const CUT_MS = 5_000;

/** Ranges of a size that is given, or chosen by the first ones. All takers must see one snapshot, or ranges overlap. */
export function createRangeCursor(
  given: BatchSize | SizeChoice,
  { clock, mode = 'quick' }: { readonly clock: Clock; readonly mode?: SourceReadMode },
): RangeCursor {
  const planned: MeasuredBatch[] = [];
  let sized = 'orgs' in given ? given : undefined;
  const sample: BatchSize = {
    orgs: 'orgs' in given ? given.orgs : given.sampleOrgs,
    basis: 'planning',
    perOrgUs: null,
  };
  let lowerId: string | null = null;
  let ahead: KeyRange[] = [];
  let ended = false;
  let closed = false;
  let ranges = 0;
  let turn: Promise<unknown> = Promise.resolve();
  let takes = 0;
  let most = Number.POSITIVE_INFINITY;
  const cut = async (tx: CellTransaction): Promise<readonly KeyRange[]> => {
    if (ended || closed) return [];
    const from = lowerId;
    const size = sized?.orgs ?? sample.orgs;
    const limit = Math.min(CUT_AT_ONCE[sized ? 'sized' : 'sample'], most);
    const began = clock.now().getTime();
    const ends = await listSourceRangeEnds(tx, from, { size, limit, mode });
    const eachMs = Math.max(1, clock.now().getTime() - began) / limit;
    most = Math.max(1, Math.floor(CUT_MS / eachMs));
    lowerId = ends.at(-1) ?? null;
    ended = lowerId === null;
    return ends.map((upperId, n) => ({ lowerId: n === 0 ? from : (ends[n - 1] ?? null), upperId }));
  };
  const takeNext = async (tx: CellTransaction): Promise<readonly KeyRange[]> => {
    takes += 1;
    if (ahead.length === 0) ahead = [...(await cut(tx))];
    return closed ? [] : ahead.splice(0, sized ? Math.min(Math.ceil(takes / 2), countAtOnce(sized.orgs)) : 1);
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
    record: (one) => {
      if (sized !== undefined || 'orgs' in given) return;
      planned.push(one);
      sized = given.choose(planned);
    },
    get size() {
      return sized ?? sample;
    },
  };
}
