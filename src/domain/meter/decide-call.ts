// Whether a call is allowed: the rule of the meter. Lua states it once more (src/stores/meter/scripts.ts); a property
// test compares the two. Knows no clock and no store.
import type { MeterModel } from './usage.js';

/** What a limit does: nothing, only be counted, or refuse. */
export const ENFORCEMENTS = ['off', 'shadow', 'on'] as const;
export type Enforcement = (typeof ENFORCEMENTS)[number];

/** What each of the two limits does. */
export interface Enforce {
  readonly credits: Enforcement;
  readonly concurrency: Enforcement;
}

/** What limits do until somebody switches them on: what they would refuse is known before a customer notices. */
export const NOT_ENFORCED: Enforce = { credits: 'shadow', concurrency: 'shadow' };

/** What an org has today, as its cell says. */
export interface CallLimits {
  readonly model: MeterModel;
  /** A day's calls (legacy) or credits; null: without limit, also when nobody can say or it is beyond 2^53. */
  readonly capacity: number | null;
  /** Calls at once; null: without limit. */
  readonly concurrency: number | null;
  readonly enforceCredits: Enforcement;
  readonly enforceConcurrency: Enforcement;
}

/** What is known of an org's day when a call comes. */
export interface DayState {
  /** The unit that the day began with. */
  readonly model: MeterModel;
  /** The last number that was seen in that unit; null: without limit. */
  readonly capacity: number | null;
  /** The last number that was seen in the other unit on this day; null: none was. */
  readonly otherCapacity: number | null;
  readonly calls: number;
  readonly credits: number;
  readonly callsGivenBack: number;
  readonly creditsGivenBack: number;
  readonly inFlight: number;
}

export const VERDICTS = ['allowed', 'credits', 'concurrency'] as const;
/** `allowed`, or the limit that refuses. */
export type Verdict = (typeof VERDICTS)[number];

export interface CallDecision {
  readonly verdict: Verdict;
  /** The limit that would have refused, where it is only counted. */
  readonly shadow: Exclude<Verdict, 'allowed'> | null;
}

/**
 * The limit of a day. Until its next reset an org whose model changed keeps its old unit, against the larger of the old
 * and the new number: also where an undo changes it back on the same day.
 */
export function findDayLimit(
  state: Pick<DayState, 'model' | 'capacity' | 'otherCapacity'>,
  limits: CallLimits,
): number | null {
  if (state.model === limits.model)
    return limits.capacity === null || state.otherCapacity === null
      ? limits.capacity
      : Math.max(limits.capacity, state.otherCapacity);
  return state.capacity === null || limits.capacity === null ? null : Math.max(state.capacity, limits.capacity);
}

/** Used today in the day's own unit; what was given back is not used. */
export function sumUsed(state: Omit<DayState, 'inFlight' | 'capacity' | 'otherCapacity'>): number {
  return state.model === 'legacy' ? state.calls - state.callsGivenBack : state.credits - state.creditsGivenBack;
}

// one of each: a decision is made for every call
const ALLOWED: CallDecision = { verdict: 'allowed', shadow: null };
const REFUSED_BY_CREDITS: CallDecision = { verdict: 'credits', shadow: null };
const REFUSED_BY_CONCURRENCY: CallDecision = { verdict: 'concurrency', shadow: null };
const SHADOW_BY_CREDITS: CallDecision = { verdict: 'allowed', shadow: 'credits' };
const SHADOW_BY_CONCURRENCY: CallDecision = { verdict: 'allowed', shadow: 'concurrency' };

/**
 * Credits are asked first. An org is held to concurrency only on a day that began with credits, and while it is on
 * credits: a legacy org never was.
 */
export function decideCall(state: DayState, limits: CallLimits, credits: number): CallDecision {
  const limit = findDayLimit(state, limits);
  const price = state.model === 'legacy' ? 1 : credits;
  const overCredits = limit !== null && sumUsed(state) + price > limit;
  if (overCredits && limits.enforceCredits === 'on') return REFUSED_BY_CREDITS;
  const held = state.model === 'credits' && limits.model === 'credits' && limits.concurrency !== null;
  const overConcurrency = held && state.inFlight >= (limits.concurrency ?? 0);
  if (overConcurrency && limits.enforceConcurrency === 'on') return REFUSED_BY_CONCURRENCY;
  if (overCredits && limits.enforceCredits === 'shadow') return SHADOW_BY_CREDITS;
  if (overConcurrency && limits.enforceConcurrency === 'shadow') return SHADOW_BY_CONCURRENCY;
  return ALLOWED;
}
