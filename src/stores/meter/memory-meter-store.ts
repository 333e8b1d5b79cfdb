// The meter's counters in the memory of this process: for one gateway alone, for the embedded default, and as what the
// Lua scripts are compared with. Lost with the process, except for what was drained.
import { type DayState, decideCall } from '../../domain/meter/decide-call.js';
import type { MeterDay } from '../../domain/meter/meter-day.js';
import {
  addUsage,
  createEmptyUsage,
  type DayUsage,
  type KindUsage,
  raiseUsage,
  type UsageSums,
} from '../../domain/meter/usage.js';
import { createMemorySlots } from './memory-slots.js';
import {
  type AcquireAnswer,
  type AcquireRequest,
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
  readonly endMs: number;
  /** Since the last collection. */
  grew: boolean;
}

interface OrgDay {
  readonly orgId: string;
  readonly day: string;
}

/** What a day begins with. */
type Beginning = Pick<SeenUsage, 'model' | 'capacity'>;

export interface AnsweredNow {
  readonly answer: Exclude<AcquireAnswer, { kind: 'unseeded' }>;
  readonly day: MeterDay;
  readonly nowMs: number;
}

/** What only a store in memory can do. */
export interface MemoryMeterStore extends MeterStore {
  /** Everything that has grown since it was collected last. */
  collectNow(): readonly DayUsage[];
  /** As acquire(), of one call and at once; null: now is not on this day, or the org's day is not known. */
  acquireNow(day: MeterDay, call: AcquireRequest): AnsweredNow | null;
}

/** Takes the clock in ms; the store knows nothing of the day on which it begins. */
export function createMemoryMeterStore(now: () => number): MemoryMeterStore {
  const beganAtMs = now();
  const days = new Map<string, Map<string, Entry>>();
  const slots = createMemorySlots();
  const added = new Set<string>();
  /** Days that have grown since the last round began, those that it has left, and those that are not confirmed. */
  let grown = new Map<string, OrgDay>();
  let left = new Map<string, OrgDay>();
  let collected = new Map<string, OrgDay>();

  const findEntry = (orgId: string, day: string): Entry | undefined => days.get(day)?.get(orgId);

  function createEntry(orgId: string, { day, endMs }: MeterDay, { model, capacity }: Beginning): Entry {
    let orgs = days.get(day);
    if (orgs === undefined) {
      const nowMs = now();
      for (const [old, entries] of days)
        if ([...entries.values()].every((one) => one.endMs + KEPT_AFTER_DAY_MS < nowMs)) dropDay(old);
      slots.forgetIdleOrgs();
      orgs = new Map();
      days.set(day, orgs);
    }
    const usage = copyUsage(createEmptyUsage(orgId, day, model));
    const created = { usage, told: undefined, capacity, endMs, grew: false };
    orgs.set(orgId, created);
    return created;
  }

  function dropDay(day: string): void {
    days.delete(day);
    for (const marked of [grown, left, collected])
      for (const [key, one] of marked) if (one.day === day) marked.delete(key);
  }

  function markGrown(entry: Entry): void {
    if (entry.grew) return;
    entry.grew = true;
    const { orgId, day } = entry.usage;
    grown.set(`${day}:${orgId}`, { orgId, day });
  }

  function renewSlot({ orgId, callId, day, kind, credits }: ChargedCall, as: 'renewed' | 'restored'): void {
    const nowMs = now();
    const held = slots.find(orgId, callId);
    const isHeld = held !== undefined && held.expiresAtMs > nowMs;
    const slot = isHeld ? held : { day, kind, credits, mayGiveBack: as === 'restored' };
    slots.take(orgId, callId, { ...slot, expiresAtMs: nowMs + LEASE_MS });
  }

  function acquireOne(day: MeterDay, request: AcquireRequest, nowMs: number): AcquireAnswer {
    const { orgId, callId, kind, credits, limits } = request;
    const found = findEntry(orgId, day.day);
    if (found === undefined && day.startMs < beganAtMs) return { kind: 'unseeded' };
    const inFlight = slots.count(orgId, nowMs);
    const entry = found ?? createEntry(orgId, day, limits);
    if (entry.usage.model === limits.model) entry.capacity = limits.capacity;
    const decision = decideCall(toState(entry, inFlight), limits, credits);
    const held = slots.find(orgId, callId);
    if (held !== undefined && (held.kind !== kind || held.credits !== credits)) return { kind: 'reused' };
    if (held !== undefined)
      return { kind: 'decided', decision: ALLOWED, repeated: true, state: toState(entry, inFlight) };
    const { usage } = entry;
    if (decision.verdict !== 'allowed')
      return { kind: 'decided', decision, repeated: false, state: toState(entry, inFlight) };
    markGrown(entry);
    slots.take(orgId, callId, { day: day.day, kind, credits, mayGiveBack: true, expiresAtMs: nowMs + LEASE_MS });
    usage.calls += 1;
    usage.credits += credits;
    usage.peakInFlight = Math.max(usage.peakInFlight, inFlight + 1);
    if (decision.shadow === 'credits') usage.shadowByCredits += 1;
    if (decision.shadow === 'concurrency') usage.shadowByConcurrency += 1;
    const known = Object.hasOwn(usage.kinds, kind) ? usage.kinds[kind] : undefined;
    const ofKind = known ?? { calls: 0, credits: 0 };
    ofKind.calls += 1;
    ofKind.credits += credits;
    if (known === undefined) usage.kinds = { ...usage.kinds, [kind]: ofKind };
    return { kind: 'decided', decision, repeated: false, state: toState(entry, inFlight + 1) };
  }

  function releaseOne({ orgId, callId, outcome }: ReleaseRequest): void {
    const slot = slots.free(orgId, callId);
    if (slot === undefined) return;
    if (outcome === 'paid' || !slot.mayGiveBack || slot.expiresAtMs <= now()) return;
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
    acquireNow: (day, call) => {
      const nowMs = now();
      if (nowMs < day.startMs || nowMs >= day.endMs) return null;
      const answer = acquireOne(day, call, nowMs);
      return answer.kind === 'unseeded' ? null : { answer, day, nowMs };
    },
    collectNow: () => {
      const all = [...collected.values(), ...left.values(), ...grown.values()];
      [collected, left, grown] = [new Map(), new Map(), new Map()];
      return takeGrown(all);
    },
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
      return entry && { usage: copyUsage(entry.usage), inFlight: slots.count(orgId, now()) };
    },
    collect: async (limit, call) => {
      if (call === 'first') {
        [left, collected] = [new Map([...left, ...collected]), new Map()];
        // what grows from now on is collected in the next round, also when this one is confirmed afterwards
        if (left.size === 0) [left, grown] = [grown, left];
      }
      const taken = [...left].slice(0, limit);
      for (const [key, one] of taken) {
        left.delete(key);
        collected.set(key, one);
      }
      return takeGrown(taken.map(([, one]) => one));
    },
    confirm: async (stored) => {
      for (const { orgId, day } of stored) collected.delete(`${day}:${orgId}`);
    },
  };
}

const ALLOWED = { verdict: 'allowed', shadow: null } as const;

const toState = ({ usage, capacity }: Entry, inFlight: number): DayState => ({
  model: usage.model,
  capacity,
  calls: usage.calls,
  credits: usage.credits,
  callsGivenBack: usage.callsGivenBack,
  creditsGivenBack: usage.creditsGivenBack,
  inFlight,
});
