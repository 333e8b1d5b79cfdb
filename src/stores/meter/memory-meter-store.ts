// The meter's counters in the memory of this process: for one gateway alone, for the embedded default, and as what the
// Lua scripts are compared with. Lost with the process, except for what was drained.
import { type CallDecision, type DayState, decideCall } from '../../domain/meter/decide-call.js';
import type { MeterDay } from '../../domain/meter/meter-day.js';
import {
  addUsage,
  createEmptyUsage,
  type DayUsage,
  type KindUsage,
  raiseUsage,
  type UsageSums,
} from '../../domain/meter/usage.js';
import { createGrownDays, type OrgDay } from './grown-days.js';
import { createMemorySlots, type Slot } from './memory-slots.js';
import {
  type AcquireAnswer,
  type AcquireRequest,
  type CallInFlight,
  type ChargedCall,
  type GivenRefusals,
  KEPT_AFTER_DAY_MS,
  LEASE_MS,
  type MeterStore,
  type ReleaseRequest,
  type SeenUsage,
} from './meter-store.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type MutableUsage = Mutable<Omit<DayUsage, 'kinds'>> & { kinds: Record<string, Mutable<KindUsage>> };

/** Nobody outside may see counters that still grow. */
const copyUsage = (usage: DayUsage): MutableUsage => ({
  ...usage,
  kinds: Object.fromEntries(
    Object.entries(usage.kinds).map(([kind, { calls, credits }]) => [kind, { calls, credits }]),
  ),
});

/** Counters of one org and day. */
interface Entry {
  usage: MutableUsage;
  /** What of it was told; undefined: nothing. */
  told: UsageSums | undefined;
  capacity: number | null;
  otherCapacity: number | null;
  readonly endMs: number;
  /** Since the last collection. */
  grew: boolean;
}

/** What a day begins with. */
type Beginning = Pick<SeenUsage, 'model' | 'capacity' | 'otherCapacity'>;

export type AnswerNow = Exclude<AcquireAnswer, { kind: 'unseeded' }>;

/** What only a store in memory can do. */
export interface MemoryMeterStore extends MeterStore {
  /** Everything that has grown since it was collected last. */
  collectNow(): readonly DayUsage[];
  /**
   * As acquire(), of one call and at once; undefined: the org's day is not known. Of an `own` call nobody else knows,
   * of a `shared` one a store may.
   */
  acquireNow(day: MeterDay, call: AcquireRequest, nowMs: number, slot: 'own' | 'shared'): AnswerNow | undefined;
  /** Ends an own call; false where it is none. */
  endOwn(call: CallInFlight, outcome: ReleaseRequest['outcome']): boolean;
  /** Own calls in flight; from now on they are not own, and what they give back is given back elsewhere. */
  takeOwn(): readonly ChargedCall[];
  /** What was taken is own again, where it is still in flight. */
  returnOwn(calls: readonly ChargedCall[]): void;
}

/** Takes the clock in ms; the store knows nothing of the day on which it begins. */
export function createMemoryMeterStore(now: () => number): MemoryMeterStore {
  const beganAtMs = now();
  const days = new Map<string, Map<string, Entry>>();
  const slots = createMemorySlots();
  const added = new Set<string>();
  const grown = createGrownDays();

  const findEntry = (orgId: string, day: string): Entry | undefined => days.get(day)?.get(orgId);

  function createEntry(orgId: string, { day, endMs }: MeterDay, begins: Beginning): Entry {
    let orgs = days.get(day);
    if (orgs === undefined) {
      const nowMs = now();
      for (const [old, entries] of days)
        if ([...entries.values()].every((one) => one.endMs + KEPT_AFTER_DAY_MS < nowMs)) dropDay(old);
      slots.forgetIdleOrgs();
      orgs = new Map();
      days.set(day, orgs);
    }
    const { model, capacity, otherCapacity = null } = begins;
    const usage = copyUsage(createEmptyUsage(orgId, day, model));
    const created = { usage, told: undefined, capacity, otherCapacity, endMs, grew: false };
    orgs.set(orgId, created);
    return created;
  }

  function dropDay(day: string): void {
    days.delete(day);
    grown.forgetDay(day);
  }

  function markGrown(entry: Entry): void {
    if (entry.grew) return;
    entry.grew = true;
    const { orgId, day } = entry.usage;
    grown.mark({ orgId, day });
  }

  function renewSlot({ orgId, callId, day, kind, credits }: ChargedCall, as: 'renewed' | 'restored'): void {
    const nowMs = now();
    const ofOrg = slots.open(orgId);
    const held = ofOrg.find(callId);
    const isHeld = held !== undefined && held.expiresAtMs > nowMs;
    const slot = isHeld ? held : { day, kind, credits, mayGiveBack: as === 'restored', isOwn: false };
    ofOrg.take(callId, { ...slot, expiresAtMs: nowMs + LEASE_MS });
  }

  function acquireOf(entry: Entry, call: AcquireRequest, nowMs: number, isOwn: boolean): AnswerNow {
    const { orgId, callId, kind, credits, limits } = call;
    const { usage } = entry;
    if (usage.model === limits.model) entry.capacity = limits.capacity;
    else if (limits.capacity !== null) entry.otherCapacity = limits.capacity;
    const ofOrg = slots.open(orgId);
    const state = toState(entry, ofOrg.count(nowMs));
    const decision = decideCall(state, limits, credits);
    const held = ofOrg.find(callId);
    if (held !== undefined)
      return held.kind === kind && held.credits === credits ? decided(ALLOWED, state, true) : { kind: 'reused' };
    if (decision.verdict !== 'allowed') return decided(decision, state, false);
    markGrown(entry);
    ofOrg.take(callId, { day: usage.day, kind, credits, mayGiveBack: true, isOwn, expiresAtMs: nowMs + LEASE_MS });
    usage.calls = state.calls += 1;
    usage.credits = state.credits += credits;
    state.inFlight += 1;
    if (state.inFlight > usage.peakInFlight) usage.peakInFlight = state.inFlight;
    if (decision.shadow === 'credits') usage.shadowByCredits += 1;
    if (decision.shadow === 'concurrency') usage.shadowByConcurrency += 1;
    const ofKind = Object.hasOwn(usage.kinds, kind) ? usage.kinds[kind] : undefined;
    if (ofKind === undefined) usage.kinds = { ...usage.kinds, [kind]: { calls: 1, credits } };
    else {
      ofKind.calls += 1;
      ofKind.credits += credits;
    }
    return decided(decision, state, false);
  }

  function acquireOne(day: MeterDay, call: AcquireRequest, nowMs: number): AcquireAnswer {
    const found = findEntry(call.orgId, day.day);
    if (found === undefined && day.startMs < beganAtMs) return UNSEEDED;
    return acquireOf(found ?? createEntry(call.orgId, day, call.limits), call, nowMs, false);
  }

  function releaseOne({ orgId, callId, outcome }: ReleaseRequest): void {
    const slot = slots.find(orgId)?.free(callId);
    if (slot !== undefined && outcome === 'given back') giveBack(orgId, slot);
  }

  function giveBack(orgId: string, slot: Slot): void {
    if (!slot.mayGiveBack || slot.expiresAtMs <= now()) return;
    const entry = findEntry(orgId, slot.day);
    if (entry === undefined) return;
    entry.usage.callsGivenBack += 1;
    entry.usage.creditsGivenBack += slot.credits;
    markGrown(entry);
  }

  function addRefusals({ orgId, day, byCredits, byConcurrency }: GivenRefusals): void {
    const entry = findEntry(orgId, day);
    if (entry === undefined) return;
    entry.usage.refusedByCredits += byCredits;
    entry.usage.refusedByConcurrency += byConcurrency;
    markGrown(entry);
  }

  /** A day that is neither this nor the next is over: what is missing of it is in the cell. */
  function findToTell(seen: SeenUsage, known: readonly MeterDay[]): Entry | undefined {
    const day = known.find((one) => one.day === seen.day);
    const found = findEntry(seen.orgId, seen.day);
    const entry = found ?? (day && createEntry(seen.orgId, day, seen));
    if (entry !== undefined) markGrown(entry);
    return entry;
  }

  function raise({ capacity, epoch, ...seen }: SeenUsage, entry: Entry): void {
    const when = epoch === null || epoch === beganAtMs ? 'since' : 'before it was emptied';
    const told = entry.told ?? createEmptyUsage(seen.orgId, seen.day, seen.model);
    const raised = raiseUsage({ usage: entry.usage, told }, seen, when);
    entry.usage = copyUsage(raised.usage);
    entry.told = raised.told;
  }

  /** What they grow by from now on is collected again, also when this is confirmed later. */
  function takeGrown(days: readonly OrgDay[]): readonly DayUsage[] {
    return days.flatMap(({ orgId, day }) => {
      const entry = findEntry(orgId, day);
      if (entry === undefined) return [];
      entry.grew = false;
      return [copyUsage(entry.usage)];
    });
  }

  return {
    acquireNow: (day, call, nowMs, slot) => {
      const entry = findEntry(call.orgId, day.day);
      return entry && acquireOf(entry, call, nowMs, slot === 'own');
    },
    endOwn: ({ orgId, callId }, outcome) => {
      const ofOrg = slots.find(orgId);
      const slot = ofOrg?.find(callId);
      if (ofOrg === undefined || slot?.isOwn !== true) return false;
      ofOrg.free(callId);
      if (outcome === 'given back') giveBack(orgId, slot);
      return true;
    },
    takeOwn: () =>
      slots.list().flatMap(([orgId, ofOrg]) =>
        ofOrg.list().flatMap(([callId, slot]) => {
          if (!slot.isOwn) return [];
          ofOrg.take(callId, { ...slot, isOwn: false, mayGiveBack: false });
          return [{ orgId, callId, day: slot.day, kind: slot.kind, credits: slot.credits }];
        }),
      ),
    returnOwn: (calls) => {
      for (const { orgId, callId } of calls) {
        const ofOrg = slots.find(orgId);
        const slot = ofOrg?.find(callId);
        if (slot !== undefined) ofOrg?.take(callId, { ...slot, isOwn: true, mayGiveBack: true });
      }
    },
    collectNow: () => takeGrown(grown.takeAll()),
    acquire: async (known, calls) => {
      const nowMs = now();
      const day = known.find(({ startMs, endMs }) => nowMs >= startMs && nowMs < endMs) ?? null;
      if (day === null) return { nowMs, day, epoch: null, answers: [] };
      return { nowMs, day, epoch: beganAtMs, answers: calls.map((call) => acquireOne(day, call, nowMs)) };
    },
    release: async (ended, refusals) => {
      for (const one of ended) releaseOne(one);
      for (const one of refusals) addRefusals(one);
    },
    renew: async (calls, as) => {
      for (const call of calls) renewSlot(call, as);
    },
    merge: async (seen, known) => {
      for (const one of seen) {
        const entry = findToTell(one, known);
        if (entry !== undefined) raise(one, entry);
      }
    },
    add: async (id, spent, known) => {
      if (added.has(id)) return;
      added.add(id);
      for (const { capacity, epoch, ...usage } of spent) {
        const entry = findToTell({ capacity, epoch, ...usage }, known);
        if (entry !== undefined) entry.usage = copyUsage(addUsage(entry.usage, usage));
      }
    },
    find: async (orgId, day) => {
      const entry = findEntry(orgId, day);
      if (entry === undefined) return undefined;
      const { capacity, otherCapacity } = entry;
      const inFlight = slots.find(orgId)?.count(now()) ?? 0;
      return { usage: copyUsage(entry.usage), inFlight, capacity, otherCapacity };
    },
    collect: async (limit, call) => takeGrown(grown.collect(limit, call)),
    confirm: async (stored) => grown.confirm(stored),
  };
}

const ALLOWED = { verdict: 'allowed', shadow: null } as const;
const UNSEEDED = { kind: 'unseeded' } as const;

const decided = (decision: CallDecision, state: DayState, repeated: boolean): AnswerNow => ({
  kind: 'decided',
  decision,
  repeated,
  state,
});

const toState = ({ usage, capacity, otherCapacity }: Entry, inFlight: number): Mutable<DayState> => ({
  model: usage.model,
  capacity,
  otherCapacity,
  calls: usage.calls,
  credits: usage.credits,
  callsGivenBack: usage.callsGivenBack,
  creditsGivenBack: usage.creditsGivenBack,
  inFlight,
});
