// What the memory of this process counts of one org and day. Nobody outside sees counters that still grow.
import type { CallDecision, CallLimits, DayState } from '../../domain/meter/decide-call.js';
import type { DayUsage, KindUsage, UsageSums } from '../../domain/meter/usage.js';
import type { OrgSlots } from './memory-slots.js';
import type { AcquireRequest, GivenRefusals, SeenUsage } from './meter-store.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class MemoryDay {
  /** Since the last collection. */
  grew = false;
  /** What of it was told; undefined: nothing. */
  told: UsageSums | undefined = undefined;
  capacity: number | null;
  otherCapacity: number | null;
  /** All but the kinds. */
  private counters: Mutable<DayUsage>;
  private kinds: Map<string, Mutable<KindUsage>>;

  constructor(
    usage: DayUsage,
    { capacity, otherCapacity = null }: Pick<SeenUsage, 'capacity' | 'otherCapacity'>,
    readonly endMs: number,
    /** Of its org, on every day. */
    readonly slots: OrgSlots,
  ) {
    this.capacity = capacity;
    this.otherCapacity = otherCapacity;
    this.counters = { ...usage };
    this.kinds = copyKinds(usage);
  }

  get day(): string {
    return this.counters.day;
  }

  get usage(): DayUsage {
    const kinds = [...this.kinds].map(([kind, { calls, credits }]) => [kind, { calls, credits }] as const);
    return { ...this.counters, kinds: Object.fromEntries(kinds) };
  }

  set usage(usage: DayUsage) {
    this.counters = { ...usage };
    this.kinds = copyKinds(usage);
  }

  /** The last number of each unit. */
  keepCapacity({ model, capacity }: CallLimits): void {
    if (this.counters.model === model) this.capacity = capacity;
    else if (capacity !== null) this.otherCapacity = capacity;
  }

  /** With so many calls in flight. */
  readState(inFlight: number): Mutable<DayState> {
    const { counters } = this;
    return {
      model: counters.model,
      capacity: this.capacity,
      otherCapacity: this.otherCapacity,
      calls: counters.calls,
      credits: counters.credits,
      callsGivenBack: counters.callsGivenBack,
      creditsGivenBack: counters.creditsGivenBack,
      inFlight,
    };
  }

  /** A call that is allowed, here and in the state that was read for it. */
  countCall({ kind, credits }: AcquireRequest, { shadow }: CallDecision, state: Mutable<DayState>): void {
    const { counters } = this;
    counters.calls = state.calls += 1;
    counters.credits = state.credits += credits;
    state.inFlight += 1;
    if (state.inFlight > counters.peakInFlight) counters.peakInFlight = state.inFlight;
    if (shadow === 'credits') counters.shadowByCredits += 1;
    if (shadow === 'concurrency') counters.shadowByConcurrency += 1;
    const ofKind = this.kinds.get(kind);
    if (ofKind === undefined) this.kinds.set(kind, { calls: 1, credits });
    else {
      ofKind.calls += 1;
      ofKind.credits += credits;
    }
  }

  countGivenBack(credits: number): void {
    this.counters.callsGivenBack += 1;
    this.counters.creditsGivenBack += credits;
  }

  countRefusals({ byCredits, byConcurrency }: GivenRefusals): void {
    this.counters.refusedByCredits += byCredits;
    this.counters.refusedByConcurrency += byConcurrency;
  }
}

const copyKinds = ({ kinds }: DayUsage): Map<string, Mutable<KindUsage>> =>
  new Map(Object.entries(kinds).map(([kind, { calls, credits }]) => [kind, { calls, credits }]));
