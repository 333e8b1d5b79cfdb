// The meter's counters in the memory of this process: for one gateway alone, for the embedded default, and as what the
// Lua scripts are compared with. Lost with the process, except for what was drained.
import { type DayState, decideCall } from '../../domain/metering/decide-call.js';
import type { MeterDay } from '../../domain/metering/meter-day.js';
import { addUsage, createEmptyUsage, type DayUsage, type KindUsage, mergeUsage } from '../../domain/metering/usage.js';
import {
  type AcquireAnswer,
  type AcquireRequest,
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
  capacity: number | null;
  readonly endMs: number;
}

/** Takes the clock in ms; the store knows nothing of the day on which it begins. */
export function createMemoryMeterStore(now: () => number): MeterStore {
  const beganAtMs = now();
  const days = new Map<string, Map<string, Entry>>();
  /** When each call in flight expires, by org. */
  const leases = new Map<string, Map<string, number>>();
  const added = new Set<string>();
  /** Days that have grown since the last collection, and days that are collected and not confirmed. */
  let grown = new Map<string, { readonly orgId: string; readonly day: string }>();
  let collected = new Map<string, { readonly orgId: string; readonly day: string }>();

  const findEntry = (orgId: string, day: string): Entry | undefined => days.get(day)?.get(orgId);

  function createEntry(orgId: string, { day, endMs }: MeterDay, usage: DayUsage, capacity: number | null): Entry {
    let orgs = days.get(day);
    if (orgs === undefined) {
      const nowMs = now();
      for (const [old, entries] of days)
        if ([...entries.values()].every((one) => one.endMs + KEPT_AFTER_DAY_MS < nowMs)) dropDay(old);
      orgs = new Map();
      days.set(day, orgs);
    }
    const created = { usage: copyUsage(usage), capacity, endMs };
    orgs.set(orgId, created);
    return created;
  }

  function dropDay(day: string): void {
    days.delete(day);
    for (const marked of [grown, collected]) for (const [key, one] of marked) if (one.day === day) marked.delete(key);
  }

  const markGrown = (orgId: string, day: string): unknown => grown.set(`${day}:${orgId}`, { orgId, day });

  function countInFlight(orgId: string): number {
    const calls = leases.get(orgId);
    if (calls === undefined) return 0;
    const nowMs = now();
    for (const [callId, expiresAtMs] of calls) if (expiresAtMs <= nowMs) calls.delete(callId);
    if (calls.size === 0) leases.delete(orgId);
    return calls.size;
  }

  function takeSlot(orgId: string, callId: string): void {
    const calls = leases.get(orgId) ?? new Map<string, number>();
    leases.set(orgId, calls.set(callId, now() + LEASE_MS));
  }

  function acquireOne(day: MeterDay, request: AcquireRequest): AcquireAnswer {
    const { orgId, callId, kind, credits, limits } = request;
    const found = findEntry(orgId, day.day);
    if (found === undefined && day.startMs < beganAtMs) return { kind: 'unseeded' };
    const inFlight = countInFlight(orgId);
    const entry = found ?? createEntry(orgId, day, createEmptyUsage(orgId, day.day, limits.model), limits.capacity);
    if (entry.usage.model === limits.model) entry.capacity = limits.capacity;
    const decision = decideCall(toState(entry, inFlight), limits, credits);
    if (leases.get(orgId)?.has(callId))
      return { kind: 'decided', decision: ALLOWED, repeated: true, state: toState(entry, inFlight) };
    const { usage } = entry;
    if (decision.verdict !== 'allowed')
      return { kind: 'decided', decision, repeated: false, state: toState(entry, inFlight) };
    markGrown(orgId, day.day);
    takeSlot(orgId, callId);
    usage.calls += 1;
    usage.credits += credits;
    usage.peakInFlight = Math.max(usage.peakInFlight, inFlight + 1);
    if (decision.shadow === 'credits') usage.refusedByCredits += 1;
    if (decision.shadow === 'concurrency') usage.refusedByConcurrency += 1;
    const known = Object.hasOwn(usage.kinds, kind) ? usage.kinds[kind] : undefined;
    const ofKind = known ?? { calls: 0, credits: 0 };
    ofKind.calls += 1;
    ofKind.credits += credits;
    if (known === undefined) usage.kinds = { ...usage.kinds, [kind]: ofKind };
    return { kind: 'decided', decision, repeated: false, state: toState(entry, inFlight + 1) };
  }

  function releaseOne({ orgId, callId, day, givesBack }: ReleaseRequest): void {
    countInFlight(orgId);
    const calls = leases.get(orgId);
    if (!calls?.delete(callId)) return;
    if (calls.size === 0) leases.delete(orgId);
    const entry = findEntry(orgId, day);
    if (givesBack === null || entry === undefined) return;
    entry.usage.callsGivenBack += 1;
    entry.usage.creditsGivenBack += givesBack;
    markGrown(orgId, day);
  }

  function addRefusals({ orgId, day, byCredits, byConcurrency }: GivenRefusals): void {
    const entry = findEntry(orgId, day);
    if (entry === undefined) return;
    entry.usage.refusedByCredits += byCredits;
    entry.usage.refusedByConcurrency += byConcurrency;
    markGrown(orgId, day);
  }

  function mergeOne(
    { capacity, ...usage }: SeenUsage,
    known: readonly MeterDay[],
    combine: (one: DayUsage, other: DayUsage) => DayUsage,
  ): void {
    const entry = findEntry(usage.orgId, usage.day);
    if (entry !== undefined) entry.usage = copyUsage(combine(entry.usage, usage));
    const day = known.find((one) => one.day === usage.day);
    // a day that is neither this nor the next is over: what is missing of it is in the cell
    if (entry === undefined && day !== undefined) createEntry(usage.orgId, day, usage, capacity);
    if (entry !== undefined || day !== undefined) markGrown(usage.orgId, usage.day);
  }

  return {
    acquire: async (known, calls) => {
      const nowMs = now();
      const day = known.find(({ startMs, endMs }) => nowMs >= startMs && nowMs < endMs) ?? null;
      return { nowMs, day, answers: day === null ? [] : calls.map((call) => acquireOne(day, call)) };
    },
    release: async (ended, refusals) => {
      for (const one of ended) releaseOne(one);
      for (const one of refusals) addRefusals(one);
    },
    renew: async (calls) => {
      for (const { orgId, callId } of calls) takeSlot(orgId, callId);
    },
    merge: async (seen, known) => {
      for (const one of seen) mergeOne(one, known, mergeUsage);
    },
    add: async (id, spent, known) => {
      if (added.has(id)) return;
      added.add(id);
      for (const one of spent) mergeOne(one, known, addUsage);
    },
    find: async (orgId, day) => {
      const entry = findEntry(orgId, day);
      return entry && { usage: copyUsage(entry.usage), inFlight: countInFlight(orgId) };
    },
    collect: async (limit) => {
      // what grows meanwhile is collected next time, also when this collection is confirmed afterwards
      if (collected.size === 0) [collected, grown] = [grown, collected];
      return [...collected.values()].slice(0, limit).flatMap(({ orgId, day }) => {
        const entry = findEntry(orgId, day);
        return entry === undefined ? [] : [copyUsage(entry.usage)];
      });
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
