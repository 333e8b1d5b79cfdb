// Decides how many lanes may work at once, from what the checks say: fewer as soon as a check nears its limit, more
// again slowly. It begins with two lanes where all is calm, else with one, and grows quickly until a check slows it;
// where others write much, it begins with one and grows slowly. 0
// holds. A quarter of a lane is one lane that rests three times as long as it works.
import { type CheckReading, MAX_AGE_MS, readGreatestUse } from './reading.js';

/** What is known of the throttle; times by the cell's clock. */
export interface Throttle {
  /** 0, ⅛, ¼, ½, or whole lanes; null: nothing was decided yet. */
  readonly lanes: number | null;
  /** Good samples in a row while it holds. */
  readonly goodSamples: number;
  /** When lanes changed. */
  readonly changedAt: Date | null;
  readonly sampledAt: Date | null;
  /** A check has slowed this work: it grows slowly from then on. */
  readonly slowed: boolean;
}

export const UNDECIDED: Throttle = { lanes: null, goodSamples: 0, changedAt: null, sampledAt: null, slowed: false };

const SMALLEST = 0.125;
const BELOW_ONE = [SMALLEST, 0.25, 0.5];
/** With which it begins, where a first look is calm and where it is not. */
const FIRST = { calm: 2, other: 1 } as const;
const GROWS_BELOW = 0.4;
const STAYS_BELOW = 0.7;
const HALF_FROM = 1;
const ZERO_FROM = 2;
/** So many in a row end a hold, each well below the limit. */
export const GOOD_SAMPLES = 3;
const GROWTH_MS = 15_000;
const QUICK_GROWTH_MS = 1_000;
/** Nobody measured for so long that what was decided then belongs to other work. */
const FORGOTTEN_MS = 60_000;

/**
 * One sampling of the checks: `lanes` is the setting, which is never exceeded. No reading at all means that no check is
 * asked for. `busy`: others write much, so it begins with one lane and grows slowly.
 */
export function decideThrottle(
  readings: readonly CheckReading[],
  { lanes, throttle, busy }: { readonly lanes: number; readonly throttle: Throttle; readonly busy?: boolean },
  now: Date,
): Throttle {
  const before = isForgotten(throttle, now) ? UNDECIDED : throttle;
  const use = readGreatestUse(readings, now);
  const level = Math.min(
    before.lanes ?? (readings.length === 0 ? lanes : firstLevel(busy === true ? 'no_data' : use)),
    lanes,
  );
  const goodSamples = level === 0 && isGood(use) ? before.goodSamples + 1 : 0;
  const grown = level > 0 && mayGrow(before, now) ? stepUp(level, lanes) : level;
  const next = nextLevel(use, { level, grown, goodSamples });
  const changed = next !== before.lanes;
  return {
    lanes: next,
    goodSamples: next === 0 ? goodSamples : 0,
    changedAt: changed || before.changedAt === null ? now : before.changedAt,
    sampledAt: now,
    slowed: before.slowed || busy === true || use === 'no_data' || use >= STAYS_BELOW,
  };
}

const firstLevel = (use: number | 'no_data'): number =>
  use !== 'no_data' && use < GROWS_BELOW ? FIRST.calm : FIRST.other;

interface Levels {
  readonly level: number;
  /** What it may grow to now. */
  readonly grown: number;
  readonly goodSamples: number;
}

function nextLevel(use: number | 'no_data', { level, grown, goodSamples }: Levels): number {
  if (use === 'no_data' || use >= ZERO_FROM) return 0;
  if (level === 0) return goodSamples >= GOOD_SAMPLES ? SMALLEST : 0;
  if (use >= HALF_FROM) return atLeastSmallest(half(level));
  if (use >= STAYS_BELOW) return stepDown(level);
  return use < GROWS_BELOW ? grown : level;
}

const isGood = (use: number | 'no_data'): boolean => use !== 'no_data' && use < STAYS_BELOW;
const atLeastSmallest = (level: number): number => Math.max(SMALLEST, level);
const half = (level: number): number => (level > 1 ? Math.floor(level / 2) : level / 2);
const stepDown = (level: number): number => (level > 1 ? level - 1 : atLeastSmallest(level / 2));
const stepUp = (level: number, lanes: number): number =>
  Math.min(lanes, BELOW_ONE.includes(level) ? level * 2 : level + 1);

const msSince = (at: Date | null, now: Date): number =>
  at === null ? Number.POSITIVE_INFINITY : now.getTime() - at.getTime();

/** A change of the future says nothing: the clock was set back. */
const mayGrow = ({ changedAt, slowed, lanes }: Throttle, now: Date): boolean => {
  if (lanes === null) return false;
  const passed = msSince(changedAt, now);
  return passed >= (slowed ? GROWTH_MS : QUICK_GROWTH_MS) || passed < 0;
};

const isForgotten = ({ sampledAt }: Throttle, now: Date): boolean => msSince(sampledAt, now) > FORGOTTEN_MS;

/** What may work now by what was decided; 0 also where the last sampling is too old. Never more than `lanes`. */
export function readEffectiveLanes({ lanes: decided, sampledAt }: Throttle, lanes: number, now: Date): number {
  if (decided === null || Math.abs(msSince(sampledAt, now)) > MAX_AGE_MS) return 0;
  return Math.min(decided, lanes);
}

/** How long a lane rests after a batch, so that it works for `lanes` of the time; whole lanes do not rest. In ms. */
export const restAfter = (batchMs: number, lanes: number): number =>
  lanes >= 1 || lanes <= 0 ? 0 : Math.min(MAX_REST_MS, batchMs * (1 / lanes - 1));

const MAX_REST_MS = 10_000;
