// Limits how much one nightly run may lower. Raises and first decisions are always healed. Above a limit, all falls of
// that kind become proposals: half of a wrong night would be as wrong. Pure.

/** Numbers of orgs that one nightly run found. */
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
  /** Limit of orgs that a night may change; null: a tenth, at least 100. */
  readonly maxChanged: number | null;
  /** Limit of lapsed orgs that a night may lower; null: one in a hundred, at least 10. */
  readonly maxLapsed: number | null;
  /** `accepted`: a person accepted the falls above the limits. */
  readonly falls: 'within_limits' | 'accepted';
}

export type CapAnswer = 'heal' | 'propose';

export interface CapDecision {
  readonly falls: CapAnswer;
  readonly lapses: CapAnswer;
  readonly gone: CapAnswer;
  /** What only a new rate card lowers. */
  readonly card: CapAnswer;
  /** A text for each limit that was exceeded; counts only. */
  readonly reasons: readonly string[];
}

/** Decides for all falls of a night. Many lapses suggest a billing outage, many gone orgs a broken view. */
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
    { exceeded: falls + lapses > 0 && !changesFit, what: 'orgs would change', count: changed, limit: limits.changed },
    { exceeded: !lapsesFit, what: 'orgs would lapse', count: lapses, limit: limits.lapsed },
    { exceeded: gone > limits.gone, what: 'orgs have left the source', count: gone, limit: limits.gone },
  ];
  const reasons = found
    .filter(({ exceeded }) => exceeded)
    .map(({ what, count, limit }) => `${count} ${what}, above ${limit}`);
  if (caps.falls === 'accepted') return { falls: 'heal', lapses: 'heal', gone: 'heal', card: 'heal', reasons };
  return {
    falls: changesFit ? 'heal' : 'propose',
    lapses: lapsesFit && changesFit ? 'heal' : 'propose',
    gone: gone <= limits.gone ? 'heal' : 'propose',
    card: 'propose',
    reasons,
  };
}

/** One in `parts`, rounded up, at least `min`. */
const share = (allotments: number, parts: number, min: number): number => Math.max(min, Math.ceil(allotments / parts));
