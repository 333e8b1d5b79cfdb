// The meter's counters in the memory of this process: for one gateway alone, for the embedded default, and as what the
// Lua scripts are compared with. Lost with the process, except for what was drained.
import { type CallDecision, type DayState, decideCall } from '../../domain/meter/decide-call.js';
import type { MeterDay } from '../../domain/meter/meter-day.js';
import { addUsage, createEmptyUsage, type DayUsage, raiseUsage } from '../../domain/meter/usage.js';
import { createGrownDays, type OrgDay } from './grown-days.js';
import { MemoryDay } from './memory-day.js';
import { createMemorySlots, Slot } from './memory-slots.js';
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

/** What a day begins with. */
type Beginning = Pick<SeenUsage, 'model' | 'capacity' | 'otherCapacity'>;

export type AnswerNow =
  | Extract<AcquireAnswer, { kind: 'reused' }>
  /** With the slot of an own call that was charged now. */
  | (Extract<AcquireAnswer, { kind: 'decided' }> & { readonly slot?: Slot | undefined });

/** A call that may be ended by its slot, without looking for it. */
export interface EndingCall extends CallInFlight {
  readonly slot?: Slot | undefined;
}

/** What only a store in memory can do. */
export interface MemoryMeterStore extends MeterStore {
  /** Everything that has grown since it was collected last. */
  collectNow(): readonly DayUsage[];
  /**
   * As acquire(), of one call and at once; undefined: the org's day is not known. Of an `own` call nobody else knows,
   * and its id, where it is a number, is new; of a `shared` one a store may know.
   */
  acquireNow(day: MeterDay, call: AcquireRequest, nowMs: number, slot: 'own' | 'shared'): AnswerNow | undefined;
  /** Ends an own call; false where it is none. */
  endOwn(call: EndingCall, outcome: ReleaseRequest['outcome']): boolean;
  /** Own calls in flight; from now on they are not own, and what they give back is given back elsewhere. */
  takeOwn(): readonly ChargedCall[];
  /** What was taken is own again, where it is still in flight. */
  returnOwn(calls: readonly ChargedCall[]): void;
}

/** Takes the clock in ms, of the system if left out; the store knows nothing of the day on which it begins. */
export function createMemoryMeterStore(now: () => number = Date.now): MemoryMeterStore {
  const beganAtMs = now();
  const self = Symbol('this memory');
  const days = new Map<string, Map<string, MemoryDay>>();
  const slots = createMemorySlots();
  const added = new Set<string>();
  const grown = createGrownDays();

  const findEntry = (orgId: string, day: string): MemoryDay | undefined => days.get(day)?.get(orgId);

  function createEntry(orgId: string, { day, endMs }: MeterDay, begins: Beginning): MemoryDay {
    let orgs = days.get(day);
    if (orgs === undefined) {
      const nowMs = now();
      for (const [old, entries] of days)
        if ([...entries.values()].every((one) => one.endMs + KEPT_AFTER_DAY_MS < nowMs)) dropDay(old);
      slots.forgetIdleOrgs((idle) => [...days.values()].some((entries) => entries.has(idle)));
      orgs = new Map();
      days.set(day, orgs);
    }
    const created = new MemoryDay(createEmptyUsage(orgId, day, begins.model), begins, endMs, slots.open(orgId));
    orgs.set(orgId, created);
    return created;
  }

  function dropDay(day: string): void {
    days.delete(day);
    grown.forgetDay(day);
  }

  function markGrown(orgId: string, entry: MemoryDay): void {
    if (entry.grew) return;
    entry.grew = true;
    grown.mark({ orgId, day: entry.day });
  }

  function renewSlot({ orgId, callId, day, kind, credits }: ChargedCall, as: 'renewed' | 'restored'): void {
    const nowMs = now();
    const ofOrg = slots.open(orgId);
    const held = ofOrg.find(callId);
    if (held !== undefined && held.expiresAtMs > nowMs) {
      held.expiresAtMs = nowMs + LEASE_MS;
      return;
    }
    if (held !== undefined) ofOrg.free(held);
    const mayGiveBack = as === 'restored';
    ofOrg.take(new Slot(ofOrg, callId, day, kind, credits, mayGiveBack, undefined, nowMs + LEASE_MS));
  }

  function acquireOf(entry: MemoryDay, call: AcquireRequest, nowMs: number, owner: symbol | undefined): AnswerNow {
    const { orgId, callId, kind, credits, limits } = call;
    const { slots: ofOrg } = entry;
    entry.keepCapacity(limits);
    const state = entry.readState(ofOrg.count(nowMs));
    const decision = decideCall(state, limits, credits);
    const isNew = owner !== undefined && typeof callId === 'number';
    const held = isNew ? undefined : ofOrg.find(callId);
    if (held !== undefined)
      return held.kind === kind && held.credits === credits ? decided(ALLOWED, state, true) : { kind: 'reused' };
    if (decision.verdict !== 'allowed') return decided(decision, state, false);
    const slot = new Slot(ofOrg, callId, entry.day, kind, credits, true, owner, nowMs + LEASE_MS);
    if (isNew) ofOrg.takeUnlisted(slot);
    else ofOrg.take(slot);
    entry.countCall(call, decision, state);
    markGrown(orgId, entry);
    return decided(decision, state, false, owner && slot);
  }

  function acquireOne(day: MeterDay, call: AcquireRequest, nowMs: number): AcquireAnswer {
    const found = findEntry(call.orgId, day.day);
    if (found === undefined && day.startMs < beganAtMs) return UNSEEDED;
    return acquireOf(found ?? createEntry(call.orgId, day, call.limits), call, nowMs, undefined);
  }

  function releaseOne({ orgId, callId, outcome }: ReleaseRequest): void {
    const slot = slots.find(orgId)?.find(callId);
    if (slot === undefined) return;
    slot.ofOrg.free(slot);
    if (outcome === 'given back') giveBack(orgId, slot);
  }

  function giveBack(orgId: string, slot: Slot): void {
    if (!slot.mayGiveBack || slot.expiresAtMs <= now()) return;
    const entry = findEntry(orgId, slot.day);
    if (entry === undefined) return;
    entry.countGivenBack(slot.credits);
    markGrown(orgId, entry);
  }

  function addRefusals(refusals: GivenRefusals): void {
    const entry = findEntry(refusals.orgId, refusals.day);
    if (entry === undefined) return;
    entry.countRefusals(refusals);
    markGrown(refusals.orgId, entry);
  }

  /** A day that is neither this nor the next is over: what is missing of it is in the cell. */
  function findToTell(seen: SeenUsage, known: readonly MeterDay[]): MemoryDay | undefined {
    const day = known.find((one) => one.day === seen.day);
    const found = findEntry(seen.orgId, seen.day);
    const entry = found ?? (day && createEntry(seen.orgId, day, seen));
    if (entry !== undefined) markGrown(seen.orgId, entry);
    return entry;
  }

  function raise({ capacity, epoch, ...seen }: SeenUsage, entry: MemoryDay): void {
    const when = epoch === null || epoch === beganAtMs ? 'since' : 'before it was emptied';
    const told = entry.told ?? createEmptyUsage(seen.orgId, seen.day, seen.model);
    const raised = raiseUsage({ usage: entry.usage, told }, seen, when);
    entry.usage = raised.usage;
    entry.told = raised.told;
  }

  /** What they grow by from now on is collected again, also when this is confirmed later. */
  function takeGrown(days: readonly OrgDay[]): readonly DayUsage[] {
    return days.flatMap(({ orgId, day }) => {
      const entry = findEntry(orgId, day);
      if (entry === undefined) return [];
      entry.grew = false;
      return [entry.usage];
    });
  }

  return {
    acquireNow: (day, call, nowMs, slot) => {
      const entry = findEntry(call.orgId, day.day);
      return entry && acquireOf(entry, call, nowMs, slot === 'own' ? self : undefined);
    },
    endOwn: (call, outcome) => {
      const slot = call.slot ?? slots.find(call.orgId)?.find(call.callId);
      if (slot === undefined || slot.owner !== self) return false;
      slot.ofOrg.free(slot);
      if (outcome === 'given back') giveBack(call.orgId, slot);
      return true;
    },
    takeOwn: () =>
      slots.list().flatMap(([orgId, ofOrg]) =>
        ofOrg.list().flatMap((slot) => {
          if (slot.owner !== self) return [];
          slot.owner = undefined;
          slot.mayGiveBack = false;
          return [{ orgId, callId: slot.callId, day: slot.day, kind: slot.kind, credits: slot.credits }];
        }),
      ),
    returnOwn: (calls) => {
      for (const { orgId, callId } of calls) {
        const slot = slots.find(orgId)?.find(callId);
        if (slot === undefined) continue;
        slot.owner = self;
        slot.mayGiveBack = true;
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
        if (entry !== undefined) entry.usage = addUsage(entry.usage, usage);
      }
    },
    find: async (orgId, day) => {
      const entry = findEntry(orgId, day);
      if (entry === undefined) return undefined;
      const { capacity, otherCapacity } = entry;
      const inFlight = slots.find(orgId)?.count(now()) ?? 0;
      return { usage: entry.usage, inFlight, capacity, otherCapacity };
    },
    collect: async (limit, call) => takeGrown(grown.collect(limit, call)),
    confirm: async (stored) => grown.confirm(stored),
  };
}

const ALLOWED = { verdict: 'allowed', shadow: null } as const;
const UNSEEDED = { kind: 'unseeded' } as const;

const decided = (decision: CallDecision, state: DayState, repeated: boolean, slot?: Slot): AnswerNow => ({
  kind: 'decided',
  decision,
  repeated,
  state,
  slot,
});
