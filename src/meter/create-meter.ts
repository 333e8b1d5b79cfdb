// The meter as a gateway uses it. Three laws: a refusal costs nothing and is never given on stale knowledge; in doubt
// the customer wins, by an amount that is bounded and counted; counters only grow.
import { type CallLimits, findDayLimit, sumUsed } from '../domain/metering/decide-call.js';
import {
  type AnswerHeaders,
  type DecidedCall,
  describeHeaders,
  describeRefusal,
  type RefusalBody,
} from '../domain/metering/describe-answer.js';
import type { MeterDay } from '../domain/metering/meter-day.js';
import { type CallPrice, priceCall } from '../domain/metering/price-call.js';
import { createEmptyUsage, type DayUsage, mergeUsage } from '../domain/metering/usage.js';
import type { CallCosts } from '../domain/rate-card/call-costs.js';
import { type Clock, systemClock } from '../kernel/clock.js';
import { withTimeout } from '../kernel/retry.js';
import type { AcquireRequest, MeterStore, SeenUsage } from '../stores/meter/meter-store.js';
import { createCallBatches, type DecidedRequest } from './call-batches.js';
import {
  addGrace,
  createLimitCache,
  type Enforce,
  isSameLimits,
  type KnownLimits,
  type ReadCapacity,
} from './limit-cache.js';
import { createCallId, type MeteredCall, rejectBadCall } from './metered-call.js';
import { createReleases } from './releases.js';
import { createSteadyStore } from './steady-store.js';

export interface MeterOptions {
  /** IANA name of the data center's zone: its days are what is counted. */
  readonly zone: string;
  /** What calls cost: `costs` of a rate card. */
  readonly costs: CallCosts;
  /** A meter Redis of the data center, or the memory of this process. */
  readonly store: MeterStore;
  /** Reads what orgs are held to. */
  readonly readCapacity: ReadCapacity;
  /** Reads what a cell holds of orgs' days, for a store that was emptied; left out: nothing. */
  readonly readUsage?: (orgIds: readonly string[], day: string) => Promise<readonly DayUsage[]>;
  /** What limits do, asked again at least every 10 s; left out: they refuse. */
  readonly enforce?: () => Enforce;
  /** Told of what an operator should know; never of an org. */
  readonly onEvent?: (event: MeterEvent) => void;
  readonly clock?: Clock;
}

/** `unknown_kind`: a call of a kind that the rate card does not have, at most one event a minute. */
export type MeterEvent =
  | { readonly kind: 'store_lost' | 'capacity_unread' | 'usage_unread'; readonly error: unknown }
  | { readonly kind: 'store_back' }
  | { readonly kind: 'unknown_kind'; readonly calls: number };

/** The answer to a call. */
export interface Admission {
  readonly allowed: boolean;
  /** For the response, allowed or refused. */
  readonly headers: AnswerHeaders;
  /** Of a refused call: send it with status 429 as `application/problem+json`. */
  readonly body: RefusalBody | undefined;
  /** When the call has ended: with its status. From 500 on its credits are given back. Only the first time counts. */
  release(status?: number): void;
}

/** What happened in doubt, since the beginning. */
export interface MeterCounts {
  /** Calls that were decided from memory. */
  readonly fromMemory: number;
  /** Calls allowed beyond a limit, since the cell could not be asked whether it still holds. */
  readonly allowedUnconfirmed: number;
  /** Calls refused shortly after a refusal, without asking the store. */
  readonly refusedLocally: number;
  readonly unknownKinds: number;
}

export interface OrgDetails {
  readonly limits: CallLimits;
  readonly day: MeterDay;
  /** Undefined: no call today. */
  readonly usage: DayUsage | undefined;
  readonly inFlight: number;
}

export interface Meter {
  /** Decides a call and takes what it costs. @throws invalid_call */
  acquire(call: MeteredCall): Promise<Admission>;
  /** What a call would cost. @throws invalid_call */
  quote(call: MeteredCall): CallPrice;
  details(orgId: string): Promise<OrgDetails>;
  counts(): MeterCounts;
  /** Tells the store what has ended, and stops. Calls in flight keep their slots until these expire. */
  close(): Promise<void>;
}

const REFRESH_MS = 10_000;
const REFUSED_LOCALLY_MS = { credits: 1000, concurrency: 100 } as const;
/** A local refusal ends so long before the day does, whose end only the store knows. */
const RESET_MARGIN_MS = 50;
const READ_USAGE_MS = 1000;
const UNKNOWN_KIND_EVENT_MS = 60_000;

/** A refusal that was confirmed just now: what costs as much is refused for the same reason. */
interface RecentRefusal {
  readonly verdict: 'credits' | 'concurrency';
  /** When the reading of the org's limits began that confirmed it. */
  readonly readAtMs: number;
  untilMs: number;
  /** The least price, in credits, that is refused. */
  readonly price: number;
  readonly day: string;
  readonly admit: (credits: number) => Admission;
  /** By price. */
  readonly admissions: Map<number, Admission>;
}

type PricedCall = Omit<AcquireRequest, 'limits'>;

const MAX_ADMISSIONS = 200;

export function createMeter(options: MeterOptions): Meter {
  const { zone, costs, readCapacity, readUsage, onEvent, clock = systemClock } = options;
  const now = (): number => clock.now().getTime();
  const stopping = new AbortController();
  const { signal } = stopping;
  const refusals = new Map<string, RecentRefusal>();
  const counted = { allowedUnconfirmed: 0, refusedLocally: 0, unknownKinds: 0 };
  let unknownKindToldAtMs = Number.NEGATIVE_INFINITY;

  const limits = createLimitCache({
    readCapacity,
    enforce: options.enforce ?? (() => ({ credits: 'on', concurrency: 'on' })),
    clock,
    onFailure: (error) => onEvent?.({ kind: 'capacity_unread', error }),
  });
  const steady = createSteadyStore({
    store: options.store,
    clock,
    signal,
    listDays: () => batches.listDays(),
    onChange: (state, error) => onEvent?.(state === 'lost' ? { kind: 'store_lost', error } : { kind: 'store_back' }),
  });
  const batches = createCallBatches({ store: steady, zone, now, listSeen });
  const releases = createReleases({ store: steady, clock, signal });
  void refreshUntilClosed();

  async function refreshUntilClosed(): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(REFRESH_MS, signal);
      if (!signal.aborted) await limits.refresh();
    }
  }

  /** For a store that knows nothing of them: what this process saw and what the cell holds. */
  async function listSeen(requests: readonly AcquireRequest[], day: string): Promise<readonly SeenUsage[]> {
    const byOrg = new Map(requests.map((request) => [request.orgId, request.limits] as const));
    const stored = new Map<string, DayUsage>();
    try {
      const read =
        readUsage === undefined ? [] : await withTimeout(clock, READ_USAGE_MS, readUsage([...byOrg.keys()], day));
      for (const usage of read ?? []) stored.set(usage.orgId, usage);
    } catch (error) {
      onEvent?.({ kind: 'usage_unread', error });
    }
    return [...byOrg].map(([orgId, { model, capacity }]) => {
      const seen = steady.findSeen(orgId, day);
      const usage = stored.get(orgId) ?? createEmptyUsage(orgId, day, seen?.model ?? model);
      return { ...(seen === undefined ? usage : mergeUsage(usage, seen)), capacity: seen?.capacity ?? capacity };
    });
  }

  function countUnknownKind(): void {
    counted.unknownKinds += 1;
    if (now() - unknownKindToldAtMs < UNKNOWN_KIND_EVENT_MS) return;
    unknownKindToldAtMs = now();
    onEvent?.({ kind: 'unknown_kind', calls: counted.unknownKinds });
  }

  async function acquire(call: MeteredCall): Promise<Admission> {
    const { orgId } = call;
    const cached = limits.find(orgId);
    const isKnown = costs.has(call.kind);
    rejectBadCall(call, { org: cached !== undefined, kind: isKnown });
    if (!isKnown) countUnknownKind();
    const { kind, credits } = priceCall(costs, call);
    const recent = findRecent(orgId, credits);
    if (recent !== undefined) return recent;
    const request = { orgId, callId: call.callId ?? createCallId(), kind, credits };
    const known = cached ?? (await limits.read(orgId));
    const decided = await batches.acquire({ ...request, limits: known.limits });
    if (decided.answer.decision.verdict === 'allowed') return admit(request, known.limits, decided);
    return confirmRefusal(request, decided, known);
  }

  /** Reads the org again before it is refused; asks once more where it has other limits, or slots freed here, now. */
  async function confirmRefusal(request: PricedCall, first: DecidedRequest, known: KnownLimits): Promise<Admission> {
    const last = refusals.get(request.orgId);
    const isFresh = last !== undefined && known.readAtMs !== null && now() - last.readAtMs < REFUSED_LOCALLY_MS.credits;
    const fresh = isFresh ? known : await limits.read(request.orgId);
    const held = fresh.readAtMs === null ? addGrace(fresh.limits) : fresh.limits;
    const settled = first.answer.decision.verdict === 'concurrency' && (await releases.settle(request.orgId));
    const stands = isSameLimits(held, known.limits) && !settled;
    const decided = stands ? first : await batches.acquire({ ...request, limits: held });
    const { verdict } = decided.answer.decision;
    if (verdict === 'allowed') {
      if (fresh.readAtMs === null) counted.allowedUnconfirmed += 1;
      return admit(request, held, decided);
    }
    const readAtMs = isFresh && last !== undefined ? last.readAtMs : (fresh.readAtMs ?? Number.NEGATIVE_INFINITY);
    const recent: RecentRefusal = {
      verdict,
      readAtMs,
      untilMs: Math.min(
        now() + REFUSED_LOCALLY_MS[verdict],
        now() + decided.day.endMs - decided.nowMs - RESET_MARGIN_MS,
        readAtMs + REFUSED_LOCALLY_MS.credits,
      ),
      price: verdict === 'credits' ? findLeastRefused(decided, held) : 0,
      day: decided.day.day,
      admit: (credits) => toRefusal(describeDecided(credits, held, decided)),
      admissions: new Map(),
    };
    refusals.set(request.orgId, recent);
    return refuseAsRecently(request.orgId, recent, request.credits);
  }

  function findRecent(orgId: string, credits: number): Admission | undefined {
    const recent = refusals.get(orgId);
    if (recent === undefined) return undefined;
    const nowMs = now();
    if (nowMs < recent.untilMs && credits >= recent.price) {
      counted.refusedLocally += 1;
      return refuseAsRecently(orgId, recent, credits);
    }
    if (nowMs - recent.readAtMs >= REFUSED_LOCALLY_MS.credits) refusals.delete(orgId);
    return undefined;
  }

  function refuseAsRecently(orgId: string, recent: RecentRefusal, credits: number): Admission {
    releases.countRefusal(orgId, recent.day, recent.verdict);
    const known = recent.admissions.get(credits);
    if (known !== undefined) return known;
    const admission = recent.admit(credits);
    if (recent.admissions.size < MAX_ADMISSIONS) recent.admissions.set(credits, admission);
    return admission;
  }

  function admit(request: PricedCall, held: CallLimits, decided: DecidedRequest): Admission {
    const { orgId, callId, credits } = request;
    const call = { orgId, callId, day: decided.day.day, credits };
    releases.hold(call);
    return {
      allowed: true,
      get headers() {
        return describeHeaders(describeDecided(credits, held, decided));
      },
      body: undefined,
      release: (status = 200) => {
        releases.end(call, status >= 500 ? 'given back' : 'paid');
        const recent = refusals.get(orgId);
        if (recent?.verdict === 'concurrency') recent.untilMs = 0;
      },
    };
  }

  function describeDecided(credits: number, held: CallLimits, { answer, day, nowMs }: DecidedRequest): DecidedCall {
    const { decision, state } = answer;
    return { decision, state, limits: held, credits, day, nowMs, zone, jitter: Math.random() };
  }

  return {
    acquire,
    quote: (call) => {
      rejectBadCall(call, { org: false, kind: false });
      return priceCall(costs, call);
    },
    details: async (orgId) => {
      const known = limits.find(orgId) ?? (await limits.read(orgId));
      const [day] = batches.listDays();
      const found = await options.store.find(orgId, day.day);
      return { limits: known.limits, day, usage: found?.usage, inFlight: found?.inFlight ?? 0 };
    },
    counts: () => ({ ...counted, fromMemory: steady.countFromMemory() }),
    close: async () => {
      stopping.abort();
      await releases.close();
    },
  };
}

function toRefusal(call: DecidedCall): Admission {
  return { allowed: false, headers: describeHeaders(call), body: describeRefusal(call), release: () => undefined };
}

/** The least price in credits that exceeds what is left; of a day in calls every one does. */
function findLeastRefused({ answer: { state } }: DecidedRequest, held: CallLimits): number {
  const limit = findDayLimit(state, held);
  return state.model === 'legacy' || limit === null ? 0 : limit - sumUsed(state) + 1;
}
