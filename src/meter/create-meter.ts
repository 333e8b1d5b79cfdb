// The meter as a gateway uses it. Three laws: a refusal costs nothing and is never given on stale knowledge; in doubt
// the customer wins, by an amount that is bounded and counted; counters only grow.
import { type CallLimits, type Enforce, findDayLimit } from '../domain/meter/decide-call.js';
import type { MeterDay } from '../domain/meter/meter-day.js';
import { type CallPrice, priceByCost, priceCall } from '../domain/meter/price-call.js';
import { createEmptyUsage, type DayUsage } from '../domain/meter/usage.js';
import type { CallCosts } from '../domain/rate-card/call-costs.js';
import { type Clock, isWithin, readMsOf, systemClock } from '../kernel/clock.js';
import { withTimeout } from '../kernel/retry.js';
import { makeCallId } from '../stores/meter/call-id.js';
import type { AcquireRequest, MeterStore, SeenUsage } from '../stores/meter/meter-store.js';
import { type Admission, AllowedCall, createRefusal, findLeastRefused } from './admission.js';
import { createCallBatches, type DecidedRequest, requireDecided } from './call-batches.js';
import { addGrace, createLimitCache, isSameLimits, type KnownLimits, type ReadCapacity } from './limit-cache.js';
import { type MeteredCall, rejectBadCall } from './metered-call.js';
import { createRecentRefusals, REFUSED_LOCALLY_MS } from './recent-refusals.js';
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
  /** What it is held to until the day ends, in the unit of the day; null: without limit. */
  readonly limit: number | null;
  /** Undefined: no call today. */
  readonly usage: DayUsage | undefined;
  readonly inFlight: number;
}

export interface Meter {
  /** Decides a call and takes what it costs. @throws invalid_call @throws call_id_reused */
  acquire(call: MeteredCall): Promise<Admission>;
  /** What a call would cost. @throws invalid_call */
  quote(call: MeteredCall): CallPrice;
  details(orgId: string): Promise<OrgDetails>;
  counts(): MeterCounts;
  /** Tells the store what has ended, and stops. Calls in flight keep their slots until these expire. */
  close(): Promise<void>;
}

const REFRESH_MS = 10_000;
/** A local refusal ends so long before the day does, whose end only the store knows. */
const RESET_MARGIN_MS = 50;
const READ_USAGE_MS = 1000;
const UNKNOWN_KIND_EVENT_MS = 60_000;

type PricedCall = Omit<AcquireRequest, 'limits'>;

/** A gateway without types may misspell one; without limits to read, every call would be allowed. */
function assertGiven({ costs, store, readCapacity }: MeterOptions): void {
  const missing = Object.entries({ costs, store, readCapacity }).flatMap(([name, part]) =>
    part == null ? [name] : [],
  );
  if (missing.length > 0) throw new TypeError(`createMeter was called without ${missing.join(' and ')}.`);
}

/** @throws TypeError where a needed option is missing @throws invalid_zone */
export function createMeter(options: MeterOptions): Meter {
  assertGiven(options);
  const { zone, costs, readCapacity, readUsage, onEvent, clock = systemClock } = options;
  const now = readMsOf(clock);
  const stopping = new AbortController();
  const { signal } = stopping;
  const counted = { allowedUnconfirmed: 0, unknownKinds: 0 };
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
  const refusals = createRecentRefusals({
    now,
    onRefused: (orgId, { day, verdict }) => releases.countRefusal(orgId, day, verdict),
  });
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
    return [...byOrg].flatMap(([orgId, { model, capacity }]) => {
      const seen = steady.findSeen(orgId, day);
      const usage = stored.get(orgId) ?? createEmptyUsage(orgId, day, seen?.model ?? model);
      const numbers = { capacity: seen?.capacity ?? capacity, otherCapacity: seen?.otherCapacity ?? null };
      const ofCell = { ...usage, ...numbers, epoch: null };
      return seen === undefined ? [ofCell] : [ofCell, seen];
    });
  }

  function countUnknownKind(): void {
    counted.unknownKinds += 1;
    if (isWithin(UNKNOWN_KIND_EVENT_MS, unknownKindToldAtMs, now())) return;
    unknownKindToldAtMs = now();
    onEvent?.({ kind: 'unknown_kind', calls: counted.unknownKinds });
  }

  function acquire(call: MeteredCall): Promise<Admission> {
    try {
      const known = limits.find(call.orgId);
      const orgId = known?.orgId ?? call.orgId;
      const cost = costs.get(call.kind);
      rejectBadCall(call, { org: known !== undefined, kind: cost !== undefined });
      if (cost === undefined) countUnknownKind();
      const { kind, credits } = priceByCost(cost, call);
      const recent = refusals.answer(orgId, credits);
      if (recent !== undefined) return recent;
      const callId = call.callId ?? makeCallId();
      if (known === undefined) return readAndDecide({ orgId, callId, kind, credits });
      return decide({ orgId, callId, kind, credits, limits: known.limits }, known);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async function readAndDecide(call: PricedCall): Promise<Admission> {
    const known = await limits.read(call.orgId);
    return decide({ ...call, orgId: known.orgId, limits: known.limits }, known);
  }

  function decide(request: AcquireRequest, known: KnownLimits): Promise<Admission> {
    const answered = steady.decideNow(request);
    if (answered === undefined) return askStore(request, known);
    const decided = requireDecided(answered);
    // not settle(): to resolve with what cannot be a promise costs less
    if (isAllowed(decided)) return Promise.resolve(admit(request, known.limits, decided));
    return confirmRefusal(request, decided, known);
  }

  /** A function of its own: its closure would cost every call something, also one that is decided from memory. */
  function askStore(request: AcquireRequest, known: KnownLimits): Promise<Admission> {
    return batches.acquire(request, (decided) => settle(request, known, decided));
  }

  function settle(
    request: AcquireRequest,
    known: KnownLimits,
    decided: DecidedRequest,
  ): Admission | Promise<Admission> {
    return isAllowed(decided) ? admit(request, known.limits, decided) : confirmRefusal(request, decided, known);
  }

  /** Reads the org again before it is refused; asks once more where it has other limits, or slots freed here, now. */
  async function confirmRefusal(request: PricedCall, first: DecidedRequest, known: KnownLimits): Promise<Admission> {
    const { orgId, credits } = request;
    const last = refusals.find(orgId);
    const isFresh =
      last !== undefined && known.readAtMs !== null && isWithin(REFUSED_LOCALLY_MS.credits, last.readAtMs, now());
    const fresh = isFresh ? known : await limits.read(orgId);
    const held = fresh.readAtMs === null ? addGrace(fresh.limits) : fresh.limits;
    const mayBeFree =
      first.answer.decision.verdict === 'concurrency' && (steady.isLost() || (await releases.settle(orgId)));
    const stands = isSameLimits(held, known.limits) && !mayBeFree;
    const decided = stands ? first : await batches.acquire({ ...request, limits: held }, (again) => again);
    const { verdict } = decided.answer.decision;
    if (verdict === 'allowed') {
      if (fresh.readAtMs === null) counted.allowedUnconfirmed += 1;
      return admit(request, held, decided);
    }
    const readAtMs = isFresh && last !== undefined ? last.readAtMs : (fresh.readAtMs ?? Number.NEGATIVE_INFINITY);
    const { day, nowMs } = decided;
    const refuse = (price: number): Admission => createRefusal({ credits: price, limits: held, decided, zone });
    refusals.keep(orgId, {
      verdict,
      readAtMs,
      fromMs: now(),
      untilMs: Math.min(
        now() + REFUSED_LOCALLY_MS[verdict],
        now() + day.endMs - nowMs - RESET_MARGIN_MS,
        readAtMs + REFUSED_LOCALLY_MS.credits,
      ),
      price: verdict === 'credits' ? findLeastRefused(decided, held) : 0,
      day: day.day,
      refuse,
    });
    releases.countRefusal(orgId, day.day, verdict);
    return refuse(credits);
  }

  function admit(request: PricedCall, held: CallLimits, decided: DecidedRequest): Admission {
    const call = releases.hold(request, decided);
    return new AllowedCall(request.credits, held, decided, zone, (status = 200) => {
      releases.end(call, status >= 500 ? 'given back' : 'paid');
      refusals.endConcurrency(call.orgId);
    });
  }

  return {
    acquire,
    quote: (call) => {
      rejectBadCall(call, { org: false, kind: false });
      return priceCall(costs, call);
    },
    details: async (orgId) => {
      const known = await limits.read(orgId);
      const [day] = batches.listDays();
      const found = await options.store.find(known.orgId, day.day);
      const limit =
        found === undefined
          ? known.limits.capacity
          : findDayLimit({ ...found, model: found.usage.model }, known.limits);
      return { limits: known.limits, day, limit, usage: found?.usage, inFlight: found?.inFlight ?? 0 };
    },
    counts: () => ({ ...counted, refusedLocally: refusals.count(), fromMemory: steady.countFromMemory() }),
    close: async () => {
      stopping.abort();
      await releases.close();
    },
  };
}

const isAllowed = ({ answer }: DecidedRequest): boolean => answer.decision.verdict === 'allowed';
