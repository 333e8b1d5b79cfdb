// A meter store that always answers. When the store behind it does not, it decides from the memory of this process:
// what was seen last, and what was spent here since. It tries the store again in the background, sends once what
// was spent, and gives nobody's call for the trial. What is not known to have been counted is not counted again.
//
// Why no library: opossum and cockatiel let real calls try whether a store is back (half-open), which here would let a
// customer wait for the time-out, and wrap each call in promises of their own. What is difficult is none of theirs: to
// decide at once from memory meanwhile, and to know what the store has counted. Without it a breaker is `outage`, a
// pause and a retry.
import { randomBytes } from 'node:crypto';
import type { DayState } from '../domain/meter/decide-call.js';
import type { MeterDay } from '../domain/meter/meter-day.js';
import { createEmptyUsage } from '../domain/meter/usage.js';
import { type Clock, readMsOf } from '../kernel/clock.js';
import type { EndingCall } from '../stores/meter/memory-meter-store.js';
import {
  type AcquireRequest,
  type AcquireResult,
  type GivenRefusals,
  type MeterStore,
  MeterStoreError,
  type ReleaseRequest,
  type SeenUsage,
} from '../stores/meter/meter-store.js';
import type { AnsweredRequest } from './call-batches.js';
import { createOutage, type Outage } from './outage.js';

export interface SteadyStoreOptions {
  readonly store: MeterStore;
  readonly clock: Clock;
  readonly listDays: () => readonly [MeterDay, MeterDay];
  /** Once when the store is lost, and once when it is back. */
  readonly onChange: (state: 'lost' | 'back', error?: unknown) => void;
  readonly signal: AbortSignal;
}

export interface SteadyStore extends Pick<MeterStore, 'acquire' | 'release' | 'renew' | 'merge'> {
  /** While the store is lost: decides from memory, at once. Undefined: it is not, or the day has ended. */
  decideNow(request: AcquireRequest): AnsweredRequest | undefined;
  /** Ends a call that was decided so, while the store does not know of it; false: release() it. */
  endNow(call: EndingCall, outcome: ReleaseRequest['outcome']): boolean;
  /** The store is lost: slots are free as soon as their calls end. */
  isLost(): boolean;
  /** What the store said last of an org's day; never what was spent from memory since. */
  findSeen(orgId: string, day: string): SeenUsage | undefined;
  /** Calls that were decided from memory since the beginning. */
  countFromMemory(): number;
}

/** What a store said of an org, and in which epoch. */
interface SeenState {
  readonly state: DayState;
  readonly epoch: number;
}

const RETRY_MS = 250;
/** Releases that wait for a lost store. Slots free themselves, so only what they give back would be lost beyond. */
const MAX_WAITING = 100_000;

export function createSteadyStore(options: SteadyStoreOptions): SteadyStore {
  const { store, clock, listDays, onChange, signal } = options;
  const now = readMsOf(clock);
  let outage: Outage | undefined;
  /** The outage, and former ones of which the store was not told everything. */
  const unsettled = new Set<Outage>();
  let fromMemory = 0;
  let madeIds = 0;
  /** Of this store alone: in containers every process may have the same pid. */
  const ownId = randomBytes(9).toString('base64url');
  let seenDay = '';
  const seen = new Map<string, SeenState>();
  let sending: { readonly id: string; readonly spent: readonly SeenUsage[] } | undefined;
  let ended: ReleaseRequest[] = [];
  let refusals: GivenRefusals[] = [];

  function lose(error: unknown): Outage {
    if (outage !== undefined) return outage;
    const began = createOutage({ now, findSeen });
    outage = began;
    unsettled.add(began);
    onChange('lost', error);
    void retryUntilReached();
    return began;
  }

  async function retryUntilReached(): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(RETRY_MS, signal);
      if (await reachAgain()) return;
    }
  }

  /** True once the store is asked again. */
  async function reachAgain(): Promise<boolean> {
    const own = outage;
    try {
      await sendUnsent();
      outage = undefined;
      onChange('back');
      // what was decided from memory meanwhile
      await sendUnsent();
      return true;
    } catch (error) {
      rejectOthers(error);
      if (outage === undefined) lose(error);
      return outage !== own;
    }
  }

  async function sendUnsent(): Promise<void> {
    await sendSpent();
    for (const own of unsettled) {
      const spent = own.takeSpent();
      if (spent.length > 0) {
        madeIds += 1;
        sending = { id: `${ownId}${madeIds.toString(36)}`, spent };
        await sendSpent();
      }
      await renewInFlight(own);
      if (own !== outage) unsettled.delete(own);
    }
    await flushEnded();
  }

  async function sendSpent(): Promise<void> {
    if (sending === undefined) return;
    const days = listDays();
    await store.merge(
      sending.spent.flatMap(({ orgId, day }) => listSeen(orgId, day)),
      days,
    );
    await store.add(sending.id, sending.spent, days);
    sending = undefined;
  }

  async function renewInFlight(own: Outage): Promise<void> {
    const calls = own.takeInFlight();
    try {
      // without calls it only shows that the store answers
      await store.renew(calls, 'restored');
    } catch (error) {
      own.returnInFlight(calls);
      throw error;
    }
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
    const found = day === seenDay ? seen.get(orgId) : undefined;
    if (found === undefined) return undefined;
    const { inFlight, ...counters } = found.state;
    return { ...createEmptyUsage(orgId, day, counters.model), ...counters, peakInFlight: inFlight, epoch: found.epoch };
  }

  function listSeen(orgId: string, day: string): readonly SeenUsage[] {
    const found = findSeen(orgId, day);
    return found === undefined ? [] : [found];
  }

  async function merge(seen: readonly SeenUsage[], days: readonly [MeterDay, MeterDay]): Promise<void> {
    if (outage !== undefined) return outage.merge(seen, days);
    await store.merge(seen, days).catch((error: unknown) => lose(rejectOthers(error)).merge(seen, days));
  }

  /** Returns what was seen of these orgs before the store was emptied. */
  function remember({ day, epoch, answers }: AcquireResult, calls: readonly AcquireRequest[]): readonly SeenUsage[] {
    if (day === null || epoch === null) return [];
    if (day.day !== seenDay) seen.clear();
    seenDay = day.day;
    const earlier: SeenUsage[] = [];
    answers.forEach((answer, at) => {
      const orgId = calls[at]?.orgId;
      if (answer.kind !== 'decided' || orgId === undefined) return;
      const before = seen.get(orgId);
      if (before !== undefined && before.epoch !== epoch) earlier.push(...listSeen(orgId, day.day));
      seen.set(orgId, { state: answer.state, epoch });
    });
    return earlier;
  }

  function acquireFromMemory(
    own: Outage,
    days: readonly [MeterDay, MeterDay],
    calls: readonly AcquireRequest[],
    sent: 'unsent' | 'was sent',
  ): AcquireResult {
    // of one moment, so that it is on the same day for all of them, or for none
    const nowMs = now();
    const decided = calls.flatMap((call) => own.decide(days, call, sent, nowMs) ?? []);
    const [first] = decided;
    if (first === undefined) return { nowMs, day: null, epoch: null, answers: [] };
    fromMemory += decided.length;
    return { nowMs, day: first.day, epoch: null, answers: decided.map(({ answer }) => answer) };
  }

  return {
    decideNow: (request) => {
      const answered = outage?.decide(listDays(), request, 'unsent', now());
      if (answered !== undefined) fromMemory += 1;
      return answered;
    },
    endNow: (call, outcome) => outage?.endUnknown(call, outcome) ?? false,
    isLost: () => outage !== undefined,
    findSeen,
    countFromMemory: () => fromMemory,
    acquire: async (days, calls) => {
      if (outage !== undefined) return acquireFromMemory(outage, days, calls, 'unsent');
      try {
        const result = await store.acquire(days, calls);
        const earlier = remember(result, calls);
        if (earlier.length > 0) await merge(earlier, days);
        return result;
      } catch (error) {
        rejectOthers(error);
        return acquireFromMemory(lose(error), days, calls, outcomeOf(error) === 'not_done' ? 'unsent' : 'was sent');
      }
    },
    release: async (calls, given) => {
      if (outage !== undefined) {
        const others = outage.release(calls, given);
        ended.push(...others.ended);
        refusals.push(...others.refusals);
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
    renew: async (calls, as) => {
      if (outage === undefined) await store.renew(calls, as).catch((error: unknown) => lose(rejectOthers(error)));
      else outage.renew(calls);
    },
    merge,
  };
}

const outcomeOf = (error: unknown): MeterStoreError['outcome'] =>
  error instanceof MeterStoreError ? error.outcome : 'unknown';

/** A mistake in the program is not a lost store. */
function rejectOthers(error: unknown): unknown {
  if (!(error instanceof MeterStoreError)) throw error;
  return error;
}
