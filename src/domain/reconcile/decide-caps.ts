// How much one night may take away. Raises and first decisions are no part of it: they are always healed. Above a limit
// all of its kind become proposals, since half a night of falls would be as wrong as a whole one. Pure.

/** Orgs, as one night found them. */
export interface FallCounts {
  readonly raises: number;
  /** Falls that are no lapses. */
  readonly falls: number;
  readonly lapses: number;
  /** Allotments whose org has left the source. */
  readonly gone: number;
  readonly allotments: number;
}

export interface Caps {
  /** Most orgs that a night may change; null: a tenth, and 100 at least. */
  readonly maxChanged: number | null;
  /** Most lapsed orgs that a night may lower; null: one in a hundred, and 10 at least. */
  readonly maxLapsed: number | null;
  /** `accepted`: a person answers for the falls beyond the limits. */
  readonly falls: 'within_limits' | 'accepted';
}

export type CapAnswer = 'heal' | 'propose';

export interface CapDecision {
  readonly falls: CapAnswer;
  readonly lapses: CapAnswer;
  readonly gone: CapAnswer;
  /** A sentence for each limit that was passed; counts only. */
  readonly reasons: readonly string[];
}

/** Decides about the falls of a whole night. Many lapses are a billing outage, many gone orgs a broken view. */
export function decideCaps(counts: FallCounts, caps: Caps): CapDecision {
  const { raises, falls, lapses, gone, allotments } = counts;
  const limits = {
    changed: caps.maxChanged ?? share(allotments, 10, 100),
    lapsed: caps.maxLapsed ?? share(allotments, 100, 10),
    gone: share(allotments, 100, 10),
  };
  const lapsesFit = lapses <= limits.lapsed;
  const changed = raises + falls + (lapsesFit ? lapses : 0);
  const changesFit = changed <= limits.changed;
  const found = [
    { answers: falls + lapses > 0 && !changesFit, what: 'orgs would change', count: changed, limit: limits.changed },
    { answers: !lapsesFit, what: 'orgs would lapse', count: lapses, limit: limits.lapsed },
    { answers: gone > limits.gone, what: 'orgs have left the source', count: gone, limit: limits.gone },
  ];
  const reasons = found
    .filter(({ answers }) => answers)
    .map(({ what, count, limit }) => `${count} ${what}, above ${limit}`);
  if (caps.falls === 'accepted') return { falls: 'heal', lapses: 'heal', gone: 'heal', reasons };
  return {
    falls: changesFit ? 'heal' : 'propose',
    lapses: lapsesFit && changesFit ? 'heal' : 'propose',
    gone: gone <= limits.gone ? 'heal' : 'propose',
    reasons,
  };
}

/** One in `parts`, rounded up, and `least` at least. */
const share = (allotments: number, parts: number, least: number): number =>
  Math.max(least, Math.ceil(allotments / parts));
