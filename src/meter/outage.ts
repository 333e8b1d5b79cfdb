// The time in which a store cannot be asked: its memory, and what of that memory the store does not know. What may have
// been counted by the store already is never told to it.
import type { MeterDay } from '../domain/meter/meter-day.js';
import { addUsage, createEmptyUsage, type DayUsage, subtractUsage } from '../domain/meter/usage.js';
import type { MemoryMeterStore } from '../stores/meter/memory-meter-store.js';
import type {
  AcquireRequest,
  ChargedCall,
  GivenRefusals,
  ReleaseRequest,
  SeenUsage,
} from '../stores/meter/meter-store.js';
import type { AnsweredRequest } from './call-batches.js';
import { type CallsByOrg, createCallsByOrg } from './calls-by-org.js';

export interface Outage {
  readonly memory: MemoryMeterStore;
  /** Calls decided from memory that are in flight. */
  readonly inFlight: CallsByOrg<ChargedCall>;
  /** Null: now is not on this day. `was sent`: the store was asked, and may have counted the call. */
  decide(
    day: MeterDay,
    days: readonly [MeterDay, MeterDay],
    call: AcquireRequest,
    sent: 'unsent' | 'was sent',
  ): AnsweredRequest | null;
  /** Returns what concerns the store: calls that it allowed, and refusals of orgs that the memory does not know. */
  release(
    ended: readonly ReleaseRequest[],
    refusals: readonly GivenRefusals[],
  ): { readonly ended: readonly ReleaseRequest[]; readonly refusals: readonly GivenRefusals[] };
  /** What the store must still be told; a second time, only what was counted since. */
  takeSpent(): readonly SeenUsage[];
}

export function createOutage(options: {
  readonly memory: MemoryMeterStore;
  readonly findSeen: (orgId: string, day: string) => SeenUsage | undefined;
}): Outage {
  const { memory, findSeen } = options;
  /** What the store knows, or may know, of each org, by day. */
  const known = new Map<string, Map<string, SeenUsage>>();
  const inFlight = createCallsByOrg<ChargedCall>();
  /** Calls in flight that the store may have counted. */
  const uncertain = createCallsByOrg<ChargedCall>();

  /** Tells the memory of an org's day what was seen last. */
  function tell({ day }: MeterDay, days: readonly [MeterDay, MeterDay], { orgId, limits }: AcquireRequest): void {
    const orgs = known.get(day) ?? new Map<string, SeenUsage>();
    const empty = { ...createEmptyUsage(orgId, day, limits.model), capacity: limits.capacity, epoch: null };
    const usage = findSeen(orgId, day) ?? empty;
    known.set(day, orgs.set(orgId, usage));
    // done when it returns, as everything in memory
    void memory.merge([usage], days);
  }

  /** What the store counts, or may have counted, by itself. */
  function countAsKnown(orgId: string, day: string, counted: Partial<DayUsage>): void {
    const orgs = known.get(day);
    const before = orgs?.get(orgId);
    if (orgs === undefined || before === undefined) return;
    const after = addUsage(before, { ...createEmptyUsage(orgId, day, before.model), ...counted });
    orgs.set(orgId, { ...before, ...after });
  }

  function toSpent(usage: DayUsage): readonly SeenUsage[] {
    const orgs = known.get(usage.day);
    const before = orgs?.get(usage.orgId);
    if (orgs === undefined || before === undefined) return [];
    orgs.set(usage.orgId, { ...before, ...usage });
    const spent = subtractUsage(usage, before);
    const isAnything = spent.calls + spent.callsGivenBack + spent.refusedByCredits + spent.refusedByConcurrency > 0;
    return isAnything ? [{ ...before, ...spent }] : [];
  }

  return {
    memory,
    inFlight,
    decide: (day, days, call, sent) => {
      if (known.get(day.day)?.has(call.orgId) !== true) tell(day, days, call);
      const decided = memory.acquireNow(day, call);
      if (decided === null) return null;
      const { answer } = decided;
      if (answer.kind === 'decided' && answer.decision.verdict === 'allowed' && !answer.repeated) {
        const { orgId, callId, kind, credits } = call;
        (sent === 'unsent' ? inFlight : uncertain).set(call, { orgId, callId, day: day.day, kind, credits });
        if (sent === 'was sent')
          countAsKnown(orgId, day.day, { calls: 1, credits, kinds: { [kind]: { calls: 1, credits } } });
      }
      return decided;
    },
    release: (ended, refusals) => {
      void memory.release(ended, refusals);
      for (const one of ended) {
        const call = uncertain.get(one);
        if (call === undefined) continue;
        uncertain.delete(one);
        if (one.outcome === 'given back')
          countAsKnown(call.orgId, call.day, { callsGivenBack: 1, creditsGivenBack: call.credits });
      }
      return {
        ended: ended.filter((one) => !inFlight.delete(one)),
        refusals: refusals.filter(({ orgId, day }) => known.get(day)?.has(orgId) !== true),
      };
    },
    takeSpent: () => memory.collectNow().flatMap(toSpent),
  };
}
