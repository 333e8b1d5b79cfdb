// The time in which a store cannot be asked: its memory, and what of that memory the store does not know. What may have
// been counted by the store already is never told to it.
import type { MeterDay } from '../domain/meter/meter-day.js';
import { addUsage, createEmptyUsage, type DayUsage, subtractUsage } from '../domain/meter/usage.js';
import { type AnswerNow, createMemoryMeterStore, type EndingCall } from '../stores/meter/memory-meter-store.js';
import type {
  AcquireRequest,
  ChargedCall,
  GivenRefusals,
  ReleaseRequest,
  SeenUsage,
} from '../stores/meter/meter-store.js';
import type { AnsweredRequest } from './call-batches.js';
import { createCallsByOrg } from './calls-by-org.js';

export interface Outage {
  /**
   * Undefined: `nowMs` is on neither day. `was sent`: the store was asked, and may have counted the call. An `unsent`
   * call is asked for once.
   */
  decide(
    days: readonly [MeterDay, MeterDay],
    call: AcquireRequest,
    sent: 'unsent' | 'was sent',
    nowMs: number,
  ): AnsweredRequest | undefined;
  /** Ends a call of which the store does not know; false where it may know. */
  endUnknown(call: EndingCall, outcome: ReleaseRequest['outcome']): boolean;
  /** Returns what concerns the store: calls that it allowed, and refusals of orgs that the memory does not know. */
  release(
    ended: readonly ReleaseRequest[],
    refusals: readonly GivenRefusals[],
  ): { readonly ended: readonly ReleaseRequest[]; readonly refusals: readonly GivenRefusals[] };
  merge(seen: readonly SeenUsage[], days: readonly [MeterDay, MeterDay]): void;
  renew(calls: readonly ChargedCall[]): void;
  /** What the store must still be told; a second time, only what was counted since. */
  takeSpent(): readonly SeenUsage[];
  /** Calls in flight of which the store does not know; from now on it does. */
  takeInFlight(): readonly ChargedCall[];
  /** It does not after all. */
  returnInFlight(calls: readonly ChargedCall[]): void;
}

export function createOutage(options: {
  readonly now: () => number;
  readonly findSeen: (orgId: string, day: string) => SeenUsage | undefined;
}): Outage {
  const { now, findSeen } = options;
  const memory = createMemoryMeterStore(now);
  /** What the store knows, or may know, of each org, by day. */
  const known = new Map<string, Map<string, SeenUsage>>();
  /** Calls in flight that the store may have counted. */
  const uncertain = createCallsByOrg<ChargedCall>();

  /** What was seen last of an org's day, or that it begins so: the memory has each day that is known, and no other. */
  function know(
    orgId: string,
    day: string,
    { model, capacity }: Pick<SeenUsage, 'model' | 'capacity'>,
  ): readonly SeenUsage[] {
    const orgs = known.get(day) ?? new Map<string, SeenUsage>();
    if (orgs.has(orgId)) return [];
    const usage = findSeen(orgId, day) ?? { ...createEmptyUsage(orgId, day, model), capacity, epoch: null };
    known.set(day, orgs.set(orgId, usage));
    return [usage];
  }

  // done when it returns, as everything in memory
  const tell = (seen: readonly SeenUsage[], days: readonly [MeterDay, MeterDay]): void => void memory.merge(seen, days);

  function decideNow(
    days: readonly [MeterDay, MeterDay],
    day: MeterDay,
    call: AcquireRequest,
    slot: 'own' | 'shared',
    nowMs: number,
  ): AnswerNow | undefined {
    const answer = memory.acquireNow(day, call, nowMs, slot);
    if (answer !== undefined) return answer;
    tell(know(call.orgId, day.day, call.limits), days);
    return memory.acquireNow(day, call, nowMs, slot);
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
    decide: (days, call, sent, nowMs) => {
      const day = nowMs < days[0].endMs ? days[0] : days[1];
      if (nowMs < day.startMs || nowMs >= day.endMs) return undefined;
      const answer = decideNow(days, day, call, sent === 'unsent' ? 'own' : 'shared', nowMs);
      if (answer === undefined) return undefined;
      if (sent === 'was sent' && isCharged(answer)) {
        const { orgId, callId, kind, credits } = call;
        uncertain.set(call, { orgId, callId, day: day.day, kind, credits });
        countAsKnown(orgId, day.day, { calls: 1, credits, kinds: { [kind]: { calls: 1, credits } } });
      }
      return { answer, day, nowMs };
    },
    endUnknown: (call, outcome) => memory.endOwn(call, outcome),
    release: (ended, refusals) => {
      const others = ended.filter((one) => !memory.endOwn(one, one.outcome));
      void memory.release(others, refusals);
      for (const one of others) {
        const call = uncertain.get(one);
        if (call === undefined) continue;
        uncertain.delete(one);
        if (one.outcome === 'given back')
          countAsKnown(call.orgId, call.day, { callsGivenBack: 1, creditsGivenBack: call.credits });
      }
      return {
        ended: others,
        refusals: refusals.filter(({ orgId, day }) => known.get(day)?.has(orgId) !== true),
      };
    },
    merge: (seen, days) => {
      tell(seen, days);
      tell(
        seen.flatMap((one) => know(one.orgId, one.day, one)),
        days,
      );
    },
    renew: (calls) => void memory.renew(calls, 'renewed'),
    takeSpent: () => memory.collectNow().flatMap(toSpent),
    takeInFlight: () => memory.takeOwn(),
    returnInFlight: (calls) => memory.returnOwn(calls),
  };
}

const isCharged = (answer: AnswerNow): boolean =>
  answer.kind === 'decided' && answer.decision.verdict === 'allowed' && !answer.repeated;
