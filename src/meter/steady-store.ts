// A meter store that always answers. When the store behind it does not, it decides from the memory of this process:
// what was seen last, and what was spent here since. It tries the store again in the background, brings back once what
// was spent, and gives nobody's call for the trial. What is not known to have been counted is not counted again.
import type { DayState } from '../domain/metering/decide-call.js';
import type { MeterDay } from '../domain/metering/meter-day.js';
import { addUsage, createEmptyUsage, type DayUsage } from '../domain/metering/usage.js';
import type { Clock } from '../kernel/clock.js';
import { createMemoryMeterStore } from '../stores/meter/memory-meter-store.js';
import {
  type AcquireRequest,
  type AcquireResult,
  type ChargedCall,
  type GivenRefusals,
  type MeterStore,
  MeterStoreError,
  type ReleaseRequest,
  type SeenUsage,
} from '../stores/meter/meter-store.js';

export interface SteadyStoreOptions {
  readonly store: MeterStore;
  readonly clock: Clock;
  readonly listDays: () => readonly [MeterDay, MeterDay];
  /** Once when the store is lost, and once when it is back. */
  readonly onChange: (state: 'lost' | 'back', error?: unknown) => void;
  readonly signal: AbortSignal;
}

export interface SteadyStore extends Pick<MeterStore, 'acquire' | 'release' | 'renew' | 'merge'> {
  isLost(): boolean;
  /** What the store said last of an org's day; never what was spent from memory since. */
  findSeen(orgId: string, day: string): SeenUsage | undefined;
  /** Calls that were decided from memory since the beginning. */
  countFromMemory(): number;
}

const RETRY_MS = 250;
/** Releases that wait for a lost store. Slots free themselves, so only what they give back would be lost beyond. */
const MAX_WAITING = 100_000;

interface Outage {
  readonly memory: MeterStore;
  /** Days of orgs that the memory was told of, as `DAY:ORG`. */
  readonly told: Set<string>;
  /** Calls decided from memory that are in flight, by their id. */
  readonly inFlight: Map<string, ChargedCall>;
}

export function createSteadyStore(options: SteadyStoreOptions): SteadyStore {
  const { store, clock, listDays, onChange, signal } = options;
  const now = (): number => clock.now().getTime();
  let outage: Outage | undefined;
  let fromMemory = 0;
  let madeIds = 0;
  const firstId = `${Math.round(now()).toString(36)}-${process.pid.toString(36)}`;
  let seenDay = '';
  const seen = new Map<string, DayState>();
  /** What the store must still be told, by day and org. */
  let owed = new Map<string, SeenUsage>();
  let sending: { readonly id: string; readonly spent: readonly SeenUsage[] } | undefined;
  let ended: ReleaseRequest[] = [];
  let refusals: GivenRefusals[] = [];

  function lose(error: unknown): Outage {
    if (outage !== undefined) return outage;
    outage = { memory: createMemoryMeterStore(now), told: new Set(), inFlight: new Map() };
    onChange('lost', error);
    void retryUntilBack();
    return outage;
  }

  async function retryUntilBack(): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(RETRY_MS, signal);
      if (await bringBack()) return;
    }
  }

  /** True once the store is asked again. */
  async function bringBack(): Promise<boolean> {
    const own = outage;
    try {
      await tellStore(own);
      outage = undefined;
      onChange('back');
      // what was decided from memory meanwhile
      await tellStore(own);
      return true;
    } catch (error) {
      rejectOthers(error);
      if (outage === undefined) lose(error);
      return outage !== own;
    }
  }

  async function tellStore(own: Outage | undefined): Promise<void> {
    const calls = [...(own?.inFlight.values() ?? [])];
    own?.inFlight.clear();
    try {
      await settleOwed();
      // without calls it only shows that the store answers
      await store.renew(calls);
      await flushEnded();
    } catch (error) {
      for (const call of calls) own?.inFlight.set(call.callId, call);
      throw error;
    }
  }

  async function settleOwed(): Promise<void> {
    if (sending === undefined && owed.size > 0) {
      madeIds += 1;
      sending = { id: `${firstId}-${madeIds}`, spent: [...owed.values()] };
      owed = new Map();
    }
    if (sending === undefined) return;
    const days = listDays();
    await store.merge(
      sending.spent.flatMap(({ orgId, day }) => findSeen(orgId, day) ?? []),
      days,
    );
    await store.add(sending.id, sending.spent, days);
    sending = undefined;
  }

  async function flushEnded(): Promise<void> {
    const [calls, given] = [ended, refusals];
    [ended, refusals] = [[], []];
    try {
      if (calls.length + given.length > 0) await store.release(calls, given);
    } catch (error) {
      // a call is released once however often it is asked; refusals are told again only when they were not
      ended = [...calls, ...ended];
      if (error instanceof MeterStoreError && error.outcome === 'not_done') refusals = [...given, ...refusals];
      throw error;
    }
  }

  function findSeen(orgId: string, day: string): SeenUsage | undefined {
    const state = day === seenDay ? seen.get(orgId) : undefined;
    if (state === undefined) return undefined;
    const { inFlight, ...counters } = state;
    return { ...createEmptyUsage(orgId, day, state.model), ...counters, peakInFlight: inFlight };
  }

  function remember({ day, answers }: AcquireResult, calls: readonly AcquireRequest[]): void {
    if (day === null) return;
    if (day.day !== seenDay) seen.clear();
    seenDay = day.day;
    answers.forEach((answer, at) => {
      const orgId = calls[at]?.orgId;
      if (answer.kind === 'decided' && orgId !== undefined) seen.set(orgId, answer.state);
    });
  }

  function owe(usage: DayUsage, capacity: number | null): void {
    const key = `${usage.day}:${usage.orgId}`;
    const before = owed.get(key);
    owed.set(key, before === undefined ? { ...usage, capacity } : { ...addUsage(before, usage), capacity });
  }

  async function acquireFromMemory(
    { memory, told, inFlight }: Outage,
    days: readonly [MeterDay, MeterDay],
    calls: readonly AcquireRequest[],
    owes: 'owes' | 'was sent',
  ): Promise<AcquireResult> {
    const nowMs = now();
    const today = days.find(({ startMs, endMs }) => nowMs >= startMs && nowMs < endMs);
    if (today === undefined) return { nowMs, day: null, answers: [] };
    const untold = listUntold(told, today.day, calls);
    if (untold.length > 0) await memory.merge(untold, days);
    const result = await memory.acquire(days, calls);
    result.answers.forEach((answer, at) => {
      const call = calls[at];
      if (call === undefined || answer.kind !== 'decided' || answer.repeated) return;
      fromMemory += 1;
      if (answer.decision.verdict !== 'allowed') return;
      // a call that was sent may have been counted: it is never counted twice
      if (owes === 'was sent') return;
      inFlight.set(call.callId, { orgId: call.orgId, callId: call.callId, day: today.day });
      const { kind, credits, orgId } = call;
      const empty = createEmptyUsage(orgId, today.day, answer.state.model);
      owe({ ...empty, calls: 1, credits, kinds: { [kind]: { calls: 1, credits } } }, answer.state.capacity);
    });
    return result;
  }

  function oweBack({ orgId, day }: ReleaseRequest, credits: number): void {
    owe({ ...createEmptyUsage(orgId, day, 'credits'), callsGivenBack: 1, creditsGivenBack: credits }, null);
  }

  function listUntold(told: Set<string>, day: string, calls: readonly AcquireRequest[]): readonly SeenUsage[] {
    const listed: SeenUsage[] = [];
    for (const { orgId, limits } of calls) {
      const key = `${day}:${orgId}`;
      if (told.has(key)) continue;
      told.add(key);
      const empty = { ...createEmptyUsage(orgId, day, limits.model), capacity: limits.capacity };
      listed.push(findSeen(orgId, day) ?? empty);
    }
    return listed;
  }

  return {
    isLost: () => outage !== undefined,
    findSeen,
    countFromMemory: () => fromMemory,
    acquire: async (days, calls) => {
      if (outage !== undefined) return acquireFromMemory(outage, days, calls, 'owes');
      try {
        const result = await store.acquire(days, calls);
        remember(result, calls);
        return result;
      } catch (error) {
        rejectOthers(error);
        return acquireFromMemory(lose(error), days, calls, outcomeOf(error) === 'not_done' ? 'owes' : 'was sent');
      }
    },
    release: async (calls, given) => {
      const own = outage;
      if (own !== undefined) {
        await own.memory.release(calls, given);
        for (const call of calls) {
          // the store never heard of this call: it is told what remains of it
          if (!own.inFlight.delete(call.callId)) ended.push(call);
          else if (call.givesBack !== null) oweBack(call, call.givesBack);
        }
        refusals.push(...given);
        ended.splice(0, ended.length - MAX_WAITING);
        refusals.splice(0, refusals.length - MAX_WAITING);
        return;
      }
      ended.push(...calls);
      refusals.push(...given);
      await flushEnded().catch((error: unknown) => {
        rejectOthers(error);
        lose(error);
      });
    },
    renew: async (calls) => {
      if (outage === undefined) await store.renew(calls).catch((error: unknown) => lose(rejectOthers(error)));
      else await outage.memory.renew(calls);
    },
    merge: async (seen, days) => {
      if (outage !== undefined) return outage.memory.merge(seen, days);
      await store.merge(seen, days).catch((error: unknown) => lose(rejectOthers(error)).memory.merge(seen, days));
    },
  };
}

const outcomeOf = (error: unknown): MeterStoreError['outcome'] =>
  error instanceof MeterStoreError ? error.outcome : 'unknown';

/** A mistake in the program is not a lost store. */
function rejectOthers(error: unknown): unknown {
  if (!(error instanceof MeterStoreError)) throw error;
  return error;
}
