// Lua on a real Redis and memory do the same on random histories, and both keep the promises of the meter. One clock
// drives both, so that leases expire and days end in the middle of a history.
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CallLimits, ENFORCEMENTS } from '../../src/domain/meter/decide-call.js';
import { findMeterDay, type MeterDay, nextMeterDay } from '../../src/domain/meter/meter-day.js';
import { METER_MODELS } from '../../src/domain/meter/usage.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import type { AcquireRequest, MeterStore } from '../../src/stores/meter/meter-store.js';
import { connectMeterRedis, createRedisMeterStore } from '../../src/stores/meter/redis-meter-store.js';
import { redisAvailable, startTestRedis, type TestRedis } from '../support/redis.js';

const ZONE = 'America/Santiago';
/** 2030-09-08 has no midnight there: the day has 23 hours. It lies ahead of every clock, since keys expire by Redis's own. */
const NOON = Date.UTC(2030, 8, 7, 16);

const orgId = fc.constantFrom('1', 'two: {}*', 'ü\n%');
const callId = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const small = fc.nat(12);
const number = fc.option(fc.oneof(small, fc.constant(8_999_999_999_999_999)), { nil: null, freq: 8 });
const limits: fc.Arbitrary<CallLimits> = fc.record({
  model: fc.constantFrom(...METER_MODELS),
  capacity: number,
  concurrency: fc.option(fc.nat(4), { nil: null, freq: 8 }),
  enforceCredits: fc.constantFrom('on', ...ENFORCEMENTS),
  enforceConcurrency: fc.constantFrom('on', ...ENFORCEMENTS),
});
const request = fc.record({ orgId, callId, kind: fc.constantFrom('get', 'list'), credits: fc.nat(5), limits });

type Named = Pick<AcquireRequest, 'orgId' | 'callId'>;
type Step =
  | { readonly kind: 'acquire'; readonly calls: readonly AcquireRequest[] }
  | { readonly kind: 'release'; readonly call: Named; readonly outcome: 'paid' | 'given back' }
  | { readonly kind: 'refuse'; readonly orgId: string; readonly byCredits: number; readonly byConcurrency: number }
  | {
      readonly kind: 'renew';
      readonly call: Omit<AcquireRequest, 'limits'>;
      readonly as: 'renewed' | 'restored';
    }
  | {
      readonly kind: 'merge';
      readonly orgId: string;
      readonly calls: number;
      readonly peakInFlight: number;
      readonly life: 'this' | 'earlier' | 'none';
    }
  | { readonly kind: 'add'; readonly orgId: string; readonly id: string; readonly calls: number }
  | { readonly kind: 'wait'; readonly ms: number | 'to midnight' }
  | { readonly kind: 'collect'; readonly confirms: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('acquire'), calls: fc.array(request, { maxLength: 4 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('release'),
      call: fc.record({ orgId, callId }),
      outcome: fc.constantFrom('paid', 'given back', 'given back'),
    }),
  },
  fc.record({ kind: fc.constant('refuse'), orgId, byCredits: fc.nat(3), byConcurrency: fc.nat(3) }),
  fc.record({
    kind: fc.constant('renew'),
    call: fc.record({ orgId, callId, kind: fc.constantFrom('get', 'list'), credits: fc.nat(5) }),
    as: fc.constantFrom('renewed', 'restored'),
  }),
  fc.record({
    kind: fc.constant('merge'),
    orgId,
    calls: fc.integer({ min: 1, max: 12 }),
    peakInFlight: small,
    life: fc.constantFrom('this', 'earlier', 'none'),
  }),
  fc.record({ kind: fc.constant('add'), orgId, id: fc.constantFrom('x', 'y'), calls: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ kind: fc.constant('wait'), ms: fc.constantFrom(1, 30_000, 60_000, 4 * 3_600_000, 'to midnight') }),
  fc.record({ kind: fc.constant('collect'), confirms: fc.boolean() }),
) as fc.Arbitrary<Step>;

const steps = fc.array(step, { minLength: 1, maxLength: 25 });

/** The day that each call was charged to. */
const charged = new Map<string, string>();
const keyOf = (call: Named): string => `${call.callId} ${call.orgId}`;

let nowMs = NOON;
let beganMs = NOON;
const listDays = (): readonly [MeterDay, MeterDay] => {
  const today = findMeterDay(nowMs, ZONE);
  return [today, nextMeterDay(today, ZONE)];
};

/** What a step gives back, in a form that does not depend on an order that nobody promises. */
async function take(store: MeterStore, one: Step): Promise<unknown> {
  const days = listDays();
  const [{ day }] = days;
  const findDay = (call: Named): string => charged.get(keyOf(call)) ?? day;
  if (one.kind === 'acquire') {
    const result = await store.acquire(days, one.calls);
    result.answers.forEach((answer, at) => {
      const call = one.calls[at];
      const isCharged = answer.kind === 'decided' && answer.decision.verdict === 'allowed' && !answer.repeated;
      if (call !== undefined && isCharged) charged.set(keyOf(call), day);
    });
    return result;
  }
  if (one.kind === 'release') return store.release([{ ...one.call, outcome: one.outcome, day: findDay(one.call) }], []);
  if (one.kind === 'refuse') return store.release([], [{ ...one, day }]);
  if (one.kind === 'renew') return store.renew([{ ...one.call, day: findDay(one.call) }], one.as);
  if (one.kind === 'merge' || one.kind === 'add') {
    const kinds = { list: { calls: one.calls, credits: 3 * one.calls } };
    const shadow = { shadowByCredits: one.calls, shadowByConcurrency: one.calls % 3 };
    const usage = { ...EMPTY, ...shadow, orgId: one.orgId, day, calls: one.calls, credits: 3 * one.calls, kinds };
    if (one.kind === 'add') return store.add(one.id, [{ ...usage, capacity: 10, epoch: null }], days);
    const epoch = { this: beganMs, earlier: beganMs - 1, none: null }[one.life];
    const otherCapacity = one.calls % 2 === 0 ? one.calls : null;
    return store.merge([{ ...usage, peakInFlight: one.peakInFlight, capacity: 10, otherCapacity, epoch }], days);
  }
  if (one.kind === 'wait') return undefined;
  const [first, second] = [await store.collect(2, 'first'), await store.collect(100, 'next')];
  const collected = [...first, ...second];
  if (one.confirms) await store.confirm(collected);
  return [...collected].sort((a, b) => (a.day + a.orgId < b.day + b.orgId ? -1 : 1));
}

const EMPTY = {
  model: 'credits',
  calls: 0,
  credits: 0,
  callsGivenBack: 0,
  creditsGivenBack: 0,
  refusedByCredits: 0,
  refusedByConcurrency: 0,
  peakInFlight: 0,
  shadowByCredits: 0,
  shadowByConcurrency: 0,
} as const;

describe.skipIf(!redisAvailable())('Lua and memory', () => {
  let server: TestRedis;
  let redis: Redis;

  beforeAll(async () => {
    server = await startTestRedis();
    redis = connectMeterRedis(server.url, { timeoutMs: 20_000 });
    await new Promise((resolve) => redis.once('ready', resolve));
  });
  afterAll(async () => {
    redis.disconnect();
    await server.remove();
  });

  test('give the same answers and hold the same counters after every step', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('at noon', 'at midnight'), steps, async (begins, list) => {
        nowMs = begins === 'at noon' ? NOON : findMeterDay(NOON, ZONE).startMs;
        beganMs = nowMs;
        await redis.flushall();
        charged.clear();
        const [lua, memory] = [createRedisMeterStore(redis, () => nowMs), createMemoryMeterStore(() => nowMs)];
        // the first call of a store that begins in the middle of a day is its beginning
        for (const store of [lua, memory]) await take(store, { kind: 'acquire', calls: [START] });
        for (const one of [...list, { kind: 'collect', confirms: true } as const]) {
          if (one.kind === 'wait') nowMs = one.ms === 'to midnight' ? listDays()[0].endMs - 1 : nowMs + one.ms;
          const [answer, expected] = [await take(lua, one), await take(memory, one)];
          expect(answer, JSON.stringify(one)).toEqual(expected);
        }
      }),
      { numRuns: 60, examples: [['at noon', REPEATED_AFTER_MIDNIGHT]] },
    );
  });
});

const START = {
  orgId: 'first',
  callId: 'first',
  kind: 'get',
  credits: 1,
  limits: { model: 'credits', capacity: 1, concurrency: 1, enforceCredits: 'on', enforceConcurrency: 'on' },
} as const;

const named = { orgId: '1', callId: 'a' } as const;
const ask = (kind: string): Step => {
  const limits = { ...START.limits, capacity: null, concurrency: null };
  return { kind: 'acquire', calls: [{ ...named, kind, credits: 3, limits }] };
};
/** Too rare for chance: a call is asked for again, and for another kind of the same price, after its day has ended. */
const REPEATED_AFTER_MIDNIGHT: Step[] = [
  ask('get'),
  { kind: 'wait', ms: 'to midnight' },
  { kind: 'renew', call: { ...named, kind: 'get', credits: 3 }, as: 'restored' },
  { kind: 'wait', ms: 1 },
  ask('get'),
  ask('list'),
  { kind: 'release', call: named, outcome: 'given back' },
];
