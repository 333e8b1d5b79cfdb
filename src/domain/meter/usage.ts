// What one org used on one local day: absolute counters that only grow, so that copying them twice changes nothing.
// Never a difference, and never less than it was.

/** The unit that an org is held to on a day. */
export const METER_MODELS = ['legacy', 'credits'] as const;
export type MeterModel = (typeof METER_MODELS)[number];

/** Calls of one kind of the rate card that were allowed, and what they took; what was given back is not subtracted. */
export interface KindUsage {
  readonly calls: number;
  readonly credits: number;
}

/** The counters of one org and day. Each is a whole number from 0 to 2^53 − 1. */
export interface DayUsage {
  readonly orgId: string;
  /** Local date of the data center, `YYYY-MM-DD`. */
  readonly day: string;
  /** The unit that the day began with: a migrated org keeps its old one until the next reset. */
  readonly model: MeterModel;
  /** Calls allowed, counted under both models. */
  readonly calls: number;
  /** Credits taken by them, counted under both models. */
  readonly credits: number;
  /** Calls that ended in an error of ours: they are paid by nobody. */
  readonly callsGivenBack: number;
  /** Their credits. Used today: credits − creditsGivenBack. */
  readonly creditsGivenBack: number;
  /** Calls refused since the day's limit was reached, in whichever unit. */
  readonly refusedByCredits: number;
  /** Calls refused since every concurrent slot was taken. */
  readonly refusedByConcurrency: number;
  /** The most calls that were in flight at once. */
  readonly peakInFlight: number;
  /** Calls that were served in shadow, and that the limit of the day would have refused. */
  readonly shadowByCredits: number;
  /** The same for the concurrent slots. */
  readonly shadowByConcurrency: number;
  /** By kind of call. */
  readonly kinds: Readonly<Record<string, KindUsage>>;
}

/** The counters beside the kinds. */
export const USAGE_COUNTERS = [
  'calls',
  'credits',
  'callsGivenBack',
  'creditsGivenBack',
  'refusedByCredits',
  'refusedByConcurrency',
  'peakInFlight',
  'shadowByCredits',
  'shadowByConcurrency',
] as const satisfies readonly (keyof DayUsage)[];

/** A day without calls. */
export function createEmptyUsage(orgId: string, day: string, model: MeterModel): DayUsage {
  return {
    orgId,
    day,
    model,
    calls: 0,
    credits: 0,
    callsGivenBack: 0,
    creditsGivenBack: 0,
    refusedByCredits: 0,
    refusedByConcurrency: 0,
    peakInFlight: 0,
    shadowByCredits: 0,
    shadowByConcurrency: 0,
    kinds: {},
  };
}

/**
 * What is known of one org and day from two readings of it: of each counter the larger one. Where they differ in the
 * model, the day began with `legacy`: this is also what greatest() gives for the two texts. Throws when they are not of
 * the same org and day.
 */
export function mergeUsage(one: DayUsage, other: DayUsage): DayUsage {
  if (one.orgId !== other.orgId || one.day !== other.day) throw new Error('two readings of different orgs or days');
  const names = [...new Set([...Object.keys(one.kinds), ...Object.keys(other.kinds)])].sort();
  return {
    orgId: one.orgId,
    day: one.day,
    model: one.model === 'legacy' ? 'legacy' : other.model,
    ...mergeCounters(one, other),
    kinds: Object.fromEntries(names.map((name) => [name, mergeKind(findKind(one, name), findKind(other, name))])),
  };
}

/** What a store keeps apart of what it was told: counters that add up, and that limits or people are held to. */
const SUMS = [
  'calls',
  'credits',
  'callsGivenBack',
  'creditsGivenBack',
  'refusedByCredits',
  'refusedByConcurrency',
] as const satisfies readonly (keyof DayUsage)[];
export type UsageSums = Readonly<Record<(typeof SUMS)[number], number>>;

/** What a store counts of a day, and which part of that it was told and did not count itself. */
export interface ToldUsage {
  readonly usage: DayUsage;
  readonly told: UsageSums;
}

/**
 * Raises what a store has to what others have seen. What was seen before the store was emptied can contain nothing that
 * it counted since, so it is compared with what it was told; anything else with all that it has. Kinds, and what shadow
 * let through, are raised to the larger number. Telling it twice changes nothing.
 */
export function raiseUsage(
  { usage, told }: ToldUsage,
  seen: DayUsage,
  when: 'before it was emptied' | 'since',
): ToldUsage {
  const raised = mergeUsage(usage, seen);
  const compared = when === 'since' ? usage : told;
  const grown = SUMS.map((name) => [name, Math.max(0, seen[name] - compared[name])] as const);
  const add = (to: UsageSums) =>
    Object.fromEntries(grown.map(([name, by]) => [name, to[name] + by])) as unknown as UsageSums;
  return { usage: { ...raised, ...add(usage) }, told: add(told) };
}

/** What was counted apart from each other of one org and day; the peak is the larger one. Keeps the model of `one`. */
export function addUsage(one: DayUsage, other: DayUsage): DayUsage {
  const names = [...new Set([...Object.keys(one.kinds), ...Object.keys(other.kinds)])].sort();
  const sum = (counter: Exclude<keyof Counters, 'peakInFlight'>): number => one[counter] + other[counter];
  return {
    ...one,
    calls: sum('calls'),
    credits: sum('credits'),
    callsGivenBack: sum('callsGivenBack'),
    creditsGivenBack: sum('creditsGivenBack'),
    refusedByCredits: sum('refusedByCredits'),
    refusedByConcurrency: sum('refusedByConcurrency'),
    peakInFlight: Math.max(one.peakInFlight, other.peakInFlight),
    shadowByCredits: sum('shadowByCredits'),
    shadowByConcurrency: sum('shadowByConcurrency'),
    kinds: Object.fromEntries(
      names.map((name) => {
        const [mine, others] = [findKind(one, name), findKind(other, name)];
        return [name, { calls: mine.calls + others.calls, credits: mine.credits + others.credits }];
      }),
    ),
  };
}

/** What was counted of one org and day since an earlier reading of it; the peak is that of the later one. */
export function subtractUsage(later: DayUsage, earlier: DayUsage): DayUsage {
  const since = (counter: Exclude<keyof Counters, 'peakInFlight'>): number => later[counter] - earlier[counter];
  const kinds = Object.keys(later.kinds).map((name) => {
    const [after, before] = [findKind(later, name), findKind(earlier, name)];
    return [name, { calls: after.calls - before.calls, credits: after.credits - before.credits }] as const;
  });
  return {
    ...later,
    calls: since('calls'),
    credits: since('credits'),
    callsGivenBack: since('callsGivenBack'),
    creditsGivenBack: since('creditsGivenBack'),
    refusedByCredits: since('refusedByCredits'),
    refusedByConcurrency: since('refusedByConcurrency'),
    shadowByCredits: since('shadowByCredits'),
    shadowByConcurrency: since('shadowByConcurrency'),
    kinds: Object.fromEntries(kinds.filter(([, { calls }]) => calls > 0)),
  };
}

type Counters = Pick<DayUsage, (typeof USAGE_COUNTERS)[number]>;

const mergeCounters = (one: Counters, other: Counters): Counters => ({
  calls: Math.max(one.calls, other.calls),
  credits: Math.max(one.credits, other.credits),
  callsGivenBack: Math.max(one.callsGivenBack, other.callsGivenBack),
  creditsGivenBack: Math.max(one.creditsGivenBack, other.creditsGivenBack),
  refusedByCredits: Math.max(one.refusedByCredits, other.refusedByCredits),
  refusedByConcurrency: Math.max(one.refusedByConcurrency, other.refusedByConcurrency),
  peakInFlight: Math.max(one.peakInFlight, other.peakInFlight),
  shadowByCredits: Math.max(one.shadowByCredits, other.shadowByCredits),
  shadowByConcurrency: Math.max(one.shadowByConcurrency, other.shadowByConcurrency),
});

const mergeKind = (one: KindUsage, other: KindUsage): KindUsage => ({
  calls: Math.max(one.calls, other.calls),
  credits: Math.max(one.credits, other.credits),
});

// own keys only: a kind may be called `constructor`
const findKind = ({ kinds }: DayUsage, name: string): KindUsage =>
  (Object.hasOwn(kinds, name) ? kinds[name] : undefined) ?? { calls: 0, credits: 0 };
