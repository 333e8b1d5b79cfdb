// What happens to the meter's Redis and to the way to it, while gateways ask: every call is answered, nothing is counted
// twice, and what was decided from memory is brought back once.
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { CallLimits } from '../../src/domain/meter/decide-call.js';
import { findMeterDay, nextMeterDay } from '../../src/domain/meter/meter-day.js';
import { createEmptyUsage, type DayUsage } from '../../src/domain/meter/usage.js';
import type { CellLimits } from '../../src/meter/limit-cache.js';
import { connectMeterRedis, createRedisMeterStore } from '../../src/stores/meter/redis-meter-store.js';
import { redisAvailable, startTestRedis, type TestRedis } from '../support/redis.js';
import { startCuttingProxy } from './cutting-proxy.js';
import { type MeterScene, onCredits, onLegacy, openMeter } from './meter-scene.js';

const ZONE = 'Asia/Kolkata';

describe.skipIf(!redisAvailable())('a meter whose Redis', () => {
  let server: TestRedis;
  const closers: (() => unknown)[] = [];

  beforeAll(async () => {
    server = await startTestRedis(['--maxmemory-policy', 'noeviction']);
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  afterAll(() => server.remove());

  /** A gateway; the time-out is much longer than the product's, since a test machine may be slow. */
  async function openGateway(
    options: Parameters<typeof openMeter>[1] = {},
    { url = server.url, timeoutMs = 20_000 } = {},
  ): Promise<MeterScene & { readonly redis: Redis }> {
    const redis = connectMeterRedis(url, { timeoutMs });
    closers.push(() => redis.disconnect());
    await new Promise((resolve) => redis.once('ready', resolve));
    const scene = openMeter(createRedisMeterStore(redis), { zone: ZONE, ...options });
    closers.push(() => scene.meter.close());
    return { ...scene, redis };
  }

  /**
   * Kills it, and returns when these gateways know: a call that is sent before may have been counted, so that it is
   * never told again.
   */
  async function kill(gateways: readonly { readonly redis: Redis }[]): Promise<void> {
    const closed = gateways.map(({ redis }) => new Promise((resolve) => redis.once('close', resolve)));
    await server.kill();
    await Promise.all(closed);
  }

  /** What Redis holds of an org today, read by a connection of its own. */
  async function readToday(
    orgId: string,
  ): Promise<{ readonly usage: DayUsage; readonly inFlight: number } | undefined> {
    const redis = connectMeterRedis(server.url, { timeoutMs: 20_000 });
    await new Promise((resolve) => redis.once('ready', resolve));
    const found = await createRedisMeterStore(redis).find(orgId, findMeterDay(Date.now(), ZONE).day);
    redis.disconnect();
    return found;
  }

  test('is killed answers from memory, and is told once when it is back', async () => {
    const gateway = await openGateway();
    const { meter, orgs, next } = gateway;
    orgs.set('killed', onCredits(60));
    await meter.acquire({ orgId: 'killed', kind: 'update_many' });
    const [lost, back] = [next('store_lost'), next('store_back')];
    await kill([gateway]);
    const second = await meter.acquire({ orgId: 'killed', kind: 'update_many' });
    const third = await meter.acquire({ orgId: 'killed', kind: 'update_many' });
    await lost;
    expect([second.allowed, third.allowed]).toEqual([true, false]);
    expect(second.headers['X-Rate-Limit-Remaining-v3']).toBe('10');
    server = await server.restart('empty');
    await back;
    await meter.acquire({ orgId: 'killed', kind: 'get' });
    expect(await readToday('killed')).toMatchObject({ usage: { calls: 3, credits: 51 } });
  });

  test('is killed keeps to what each call was charged, under an id of two orgs or of two calls', async () => {
    const gateway = await openGateway();
    const { meter, orgs, next } = gateway;
    for (const id of ['one', 'other']) orgs.set(id, onCredits(1000));
    const back = next('store_back');
    await kill([gateway]);
    const call = { orgId: 'one', kind: 'get', callId: 'r1' };
    const first = await meter.acquire(call);
    const other = await meter.acquire({ ...call, orgId: 'other', kind: 'count' });
    await expect(meter.acquire({ ...call, kind: 'count' })).rejects.toMatchObject({ code: 'call_id_reused' });
    first.release(500);
    server = await server.restart('empty');
    await back;
    other.release(500);
    await meter.close();
    expect(await readToday('one')).toMatchObject({ usage: { credits: 1, creditsGivenBack: 1 }, inFlight: 0 });
    expect(await readToday('other')).toMatchObject({ usage: { credits: 50, creditsGivenBack: 50 }, inFlight: 0 });
  });

  test('stands still answers from memory, and what it had been sent is not counted twice', async () => {
    const { meter, orgs, next } = await openGateway({}, { timeoutMs: 1_000 });
    orgs.set('stopped', onCredits(1000));
    (await meter.acquire({ orgId: 'stopped', kind: 'get' })).release();
    const back = next('store_back');
    process.kill(server.pid, 'SIGSTOP');
    const sent = await meter.acquire({ orgId: 'stopped', kind: 'count' });
    const unsent = await meter.acquire({ orgId: 'stopped', kind: 'update_many' });
    expect([sent.allowed, unsent.allowed]).toEqual([true, true]);
    process.kill(server.pid, 'SIGCONT');
    await back;
    sent.release();
    unsent.release(500);
    await meter.close();
    // 1 before, 50 that it did when it went on, 25 that it was told of
    expect(await readToday('stopped')).toMatchObject({
      usage: { calls: 3, credits: 76, creditsGivenBack: 25 },
      inFlight: 0,
    });
  });

  test('is emptied is rebuilt from the cell and from what was seen', async () => {
    const day = findMeterDay(Date.now(), ZONE).day;
    const readUsage = async (ids: readonly string[]): Promise<readonly DayUsage[]> =>
      ids.map((orgId) => ({
        ...createEmptyUsage(orgId, day, 'credits'),
        calls: 2,
        credits: orgId === 'drained' ? 90 : 6,
        kinds: { list: { calls: 2, credits: 6 } },
      }));
    const { meter, orgs, redis } = await openGateway({ readUsage });
    for (const id of ['drained', 'seen']) orgs.set(id, onCredits(100));
    await meter.acquire({ orgId: 'seen', kind: 'count' });
    await redis.flushall();
    expect((await meter.acquire({ orgId: 'drained', kind: 'update_many' })).allowed).toBe(false);
    expect((await meter.acquire({ orgId: 'seen', kind: 'count' })).allowed).toBe(false);
    expect(await readToday('seen')).toMatchObject({
      usage: { credits: 56, kinds: { list: { calls: 2, credits: 6 } } },
    });
  });

  test('is emptied is told by each gateway what it saw, beside what was spent since', async () => {
    const gateways = await Promise.all([1, 2].map(() => openGateway()));
    const [first, second] = gateways.map(({ meter }) => meter);
    const ask = async (meter = first): Promise<void> =>
      (await meter?.acquire({ orgId: 'both', kind: 'list' }))?.release();
    for (const { orgs } of gateways) orgs.set('both', onCredits(1000));
    for (const meter of [first, second, second]) await ask(meter);
    await gateways[0]?.redis.flushall();
    for (const meter of [first, first, second, second, first]) await ask(meter);
    expect(await readToday('both')).toMatchObject({ usage: { calls: 8, credits: 24 } });
  });

  test('is emptied, or lost, on the day of an undo keeps the larger number that was seen', async () => {
    const gateway = await openGateway();
    const { meter, orgs } = gateway;
    const ask = async (limits: CellLimits, calls = 1): Promise<number> => {
      orgs.set('undone', limits);
      // read again, as within 10 s
      await meter.details('undone').catch(() => undefined);
      const asked = Array.from({ length: calls }, () => meter.acquire({ orgId: 'undone', kind: 'count' }));
      return (await Promise.all(asked)).filter(({ allowed }) => allowed).length;
    };
    for (const limits of [onLegacy(4), onCredits(8), onLegacy(4)]) expect(await ask(limits)).toBe(1);
    await gateway.redis.flushall();
    expect(await ask(onLegacy(4), 3)).toBe(3);
    const lost = gateway.next('store_lost');
    await kill([gateway]);
    expect(await ask(onLegacy(4), 9)).toBe(2);
    await lost;
    server = await server.restart('empty');
  });

  test('has no memory left counts every call once all the same', async () => {
    const { meter, orgs, redis } = await openGateway();
    orgs.set('full', onCredits(1000));
    await meter.acquire({ orgId: 'full', kind: 'get' });
    await redis.config('SET', 'maxmemory', '1');
    expect((await meter.acquire({ orgId: 'full', kind: 'count' })).allowed).toBe(true);
    await redis.config('SET', 'maxmemory', '0');
    await meter.close();
    expect(await readToday('full')).toMatchObject({ usage: { calls: 2, credits: 51 } });
  });

  test('forgets the scripts goes on', async () => {
    const { meter, orgs, redis, events } = await openGateway();
    orgs.set('forgot', onCredits(1000));
    await meter.acquire({ orgId: 'forgot', kind: 'get' });
    await redis.script('FLUSH');
    expect((await meter.acquire({ orgId: 'forgot', kind: 'get' })).allowed).toBe(true);
    expect(events).toEqual([]);
    expect(await readToday('forgot')).toMatchObject({ usage: { calls: 2 } });
  });

  test('did what it was asked before the connection was cut charges that call once', async () => {
    const proxy = await startCuttingProxy(server.url);
    closers.push(() => proxy.close());
    const { meter, orgs, next } = await openGateway({}, { url: proxy.url });
    orgs.set('cut', onCredits(1000));
    await meter.acquire({ orgId: 'cut', kind: 'get' });
    const back = next('store_back');
    proxy.cutAtNextAnswer();
    expect((await meter.acquire({ orgId: 'cut', kind: 'count', callId: 'once' })).allowed).toBe(true);
    await back;
    expect((await meter.acquire({ orgId: 'cut', kind: 'count', callId: 'once' })).allowed).toBe(true);
    expect(await readToday('cut')).toMatchObject({ usage: { calls: 2, credits: 51 } });
  });

  test('is asked by four gateways at once grants the limit exactly', async () => {
    const gateways = await Promise.all([1, 2, 3, 4].map(() => openGateway()));
    for (const { orgs } of gateways) orgs.set('shared', onCredits(5000));
    const kinds = ['count', 'update_many', 'list', 'get'] as const;
    let granted = 0;
    const price = { count: 50, update_many: 25, list: 3, get: 1 };
    for (const kind of kinds)
      await Promise.all(
        gateways.map(async ({ meter }) => {
          for (let at = 0; at < 40; at += 1)
            if ((await meter.acquire({ orgId: 'shared', kind })).allowed) granted += price[kind];
        }),
      );
    expect(granted).toBe(5000);
    expect(await readToday('shared')).toMatchObject({ usage: { credits: 5000 } });
  });

  test('is lost to three gateways at once costs no more than what was left, for each but one, and is told all', async () => {
    const gateways = await Promise.all([1, 2, 3].map(() => openGateway()));
    for (const { orgs, meter } of gateways) {
      orgs.set('apart', onCredits(60));
      await meter.acquire({ orgId: 'apart', kind: 'list' });
    }
    for (const { meter } of gateways) (await meter.acquire({ orgId: 'apart', kind: 'get' })).release();
    const left = 60 - 3 * 3 - 3;
    const backs = gateways.map(({ next }) => next('store_back'));
    await kill(gateways);
    let granted = 0;
    for (const { meter } of gateways)
      for (let at = 0; at < 100; at += 1)
        if ((await meter.acquire({ orgId: 'apart', kind: 'get' })).allowed) granted += 1;
    expect(granted).toBeGreaterThanOrEqual(left);
    expect(granted - left).toBeLessThanOrEqual((gateways.length - 1) * (left + 2));
    server = await server.restart('empty');
    await Promise.all(backs);
    for (const { meter } of gateways) await meter.close();
    expect(await readToday('apart')).toMatchObject({ usage: { credits: 12 + granted } });
  });

  test('keeps the slots of a gateway that died for a minute, also across midnight', async () => {
    const { redis } = await openGateway();
    const day = nextMeterDay(findMeterDay(Date.now(), ZONE), ZONE);
    const days = [day, nextMeterDay(day, ZONE)] as const;
    let nowMs = day.startMs;
    const store = createRedisMeterStore(redis, () => nowMs);
    const limits = { model: 'credits', capacity: 10, concurrency: 1, enforceCredits: 'on', enforceConcurrency: 'on' };
    const ask = async (callId: string): Promise<readonly [string | undefined, string]> => {
      const call = { orgId: 'died', callId, kind: 'get', credits: 6, limits: limits as CallLimits };
      const { day: picked, answers } = await store.acquire(days, [call]);
      const [answer] = answers;
      return [picked?.day, answer?.kind === 'decided' ? answer.decision.verdict : String(answer?.kind)];
    };
    // an emptied Redis: it is told of the day first
    await redis.flushall();
    nowMs = days[0].endMs - 1;
    await store.merge([{ ...createEmptyUsage('died', day.day, 'credits'), capacity: 10, epoch: null }], days);
    expect(await ask('a')).toEqual([day.day, 'allowed']);
    expect(await ask('b')).toEqual([day.day, 'credits']);
    nowMs = days[0].endMs;
    expect(await ask('b')).toEqual([days[1].day, 'concurrency']);
    nowMs = days[0].endMs - 1 + 59_999;
    expect(await ask('b')).toEqual([days[1].day, 'concurrency']);
    nowMs += 1;
    expect(await ask('b')).toEqual([days[1].day, 'allowed']);
    // a clock that is set back picks the old day again: its counters are what they were
    nowMs = days[0].endMs - 1;
    expect(await ask('c')).toEqual([day.day, 'credits']);
  });
});
