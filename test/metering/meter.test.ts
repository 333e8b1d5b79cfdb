// The meter as a gateway sees it, on the memory of this process: prices, refusals and what they say, raises, releases,
// shadow, a cell that is away, and bad input.
import { afterEach, describe, expect, test } from 'vitest';
import { createMeter, type MeterOptions } from '../../src/meter/create-meter.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import { MeterStoreError } from '../../src/stores/meter/meter-store.js';
import { createHandClock, type MeterScene, onCredits, openMeter } from './meter-scene.js';

/** Midnight in Kolkata. */
const MIDNIGHT = Date.UTC(2026, 4, 4, 18, 30);
const HOUR = 3_600_000;

const opened: MeterScene[] = [];
afterEach(async () => {
  for (const { meter } of opened.splice(0)) await meter.close();
});

function open(options: Partial<MeterOptions> = {}) {
  const clock = createHandClock(MIDNIGHT);
  const store = createMemoryMeterStore(() => clock.nowMs);
  const scene = openMeter(store, { clock, ...options });
  opened.push(scene);
  return { ...scene, clock, store };
}

const DAY = '2026-05-05';

describe('createMeter', () => {
  test('names the options that a gateway left out', () => {
    const given: Partial<MeterOptions> = { zone: 'Asia/Kolkata', store: createMemoryMeterStore() };
    expect(() => createMeter(given as MeterOptions)).toThrow('createMeter was called without costs and readCapacity.');
  });
});

describe('acquire', () => {
  test('takes what a call costs and says what is left', async () => {
    const { meter, orgs } = open();
    orgs.set('7', onCredits(100, 10));
    const admission = await meter.acquire({ orgId: '7', kind: 'list', from: 2000, limit: 10 });
    expect(admission).toMatchObject({ allowed: true, body: undefined });
    expect(admission.headers).toEqual({
      'X-Rate-Limit-Request-Weight-v3': '5',
      'X-Rate-Limit-Remaining-v3': '95',
      'RateLimit-Policy': '"credits";q=100;w=86400, "concurrency";q=10;qu="concurrent-requests"',
      RateLimit: '"credits";r=95;t=86400, "concurrency";r=9',
    });
  });

  test('refuses for free what costs more than is left, and still allows what does not', async () => {
    const { meter, orgs, clock, store } = open();
    orgs.set('7', onCredits(60));
    await clock.move(22 * HOUR);
    await meter.acquire({ orgId: '7', kind: 'update_many' });
    const refused = await meter.acquire({ orgId: '7', kind: 'count' });
    expect(refused.allowed).toBe(false);
    expect(refused.body).toMatchObject({
      status: 429,
      code: 'THRESHOLD_EXCEEDED',
      'violated-policies': ['credits'],
      price: 50,
      left: 35,
      used: 25,
      total: 60,
      resetsAt: '2026-05-05T18:30:00.000Z',
      resetsAtLocal: '2026-05-06T00:00:00+05:30',
      detail:
        "This call costs 50 credits, and 35 of today's 60 are left. They are reset at 2026-05-06 00:00 (Asia/Kolkata).",
    });
    const wait = Number(refused.headers['Retry-After']);
    expect(wait).toBeGreaterThanOrEqual(2 * 3600);
    expect(wait).toBeLessThanOrEqual(2 * 3600 + 120);
    expect((await meter.acquire({ orgId: '7', kind: 'update_many' })).allowed).toBe(true);
    await meter.close();
    expect(await store.find('7', DAY)).toMatchObject({ usage: { calls: 2, credits: 50, refusedByCredits: 1 } });
  });

  test('says that waiting does not help where a call costs more than a whole day has', async () => {
    const { meter, orgs } = open();
    orgs.set('7', onCredits(49));
    const refused = await meter.acquire({ orgId: '7', kind: 'count' });
    expect(refused.headers).not.toHaveProperty('Retry-After');
    expect(refused.body?.detail).toContain('waiting does not help');
  });

  test('holds an org to its calls at once, and a release makes room for the next call', async () => {
    const { meter, orgs, clock } = open();
    orgs.set('7', onCredits(1000, 2));
    const first = await meter.acquire({ orgId: '7', kind: 'get' });
    await meter.acquire({ orgId: '7', kind: 'get' });
    const refused = await meter.acquire({ orgId: '7', kind: 'get' });
    expect(refused.body).toMatchObject({ code: 'TOO_MANY_REQUESTS', concurrency: { inProgress: 2, limit: 2 } });
    expect(refused.headers).not.toHaveProperty('Retry-After');
    first.release();
    await clock.move(5);
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(true);
  });

  test('refuses no call for a slot that was freed here a moment ago', async () => {
    const { meter, orgs } = open();
    orgs.set('7', onCredits(1000, 2));
    for (let rounds = 0; rounds < 5; rounds += 1) {
      const calls = await Promise.all(['get', 'get'].map((kind) => meter.acquire({ orgId: '7', kind })));
      expect(calls.map(({ allowed }) => allowed)).toEqual([true, true]);
      for (const call of calls) call.release(); // the store hears of it within 5 ms
    }
  });

  test('without its store refuses no call for a slot that was freed while the cell was asked', async () => {
    const away = async (): Promise<never> => {
      throw new MeterStoreError('not_done', 'away');
    };
    const clock = createHandClock(MIDNIGHT);
    const store = createMemoryMeterStore(() => clock.nowMs);
    let read = Promise.resolve();
    const scene = openMeter(
      { ...store, acquire: away, renew: away, release: away },
      {
        clock,
        readCapacity: async (ids) => {
          await read;
          return new Map(ids.map((id) => [id, onCredits(1000, 1)]));
        },
      },
    );
    opened.push(scene);
    const running = await scene.meter.acquire({ orgId: '7', kind: 'get' });
    let answer: () => void = () => undefined;
    read = new Promise((resolve) => {
      answer = resolve;
    });
    const second = scene.meter.acquire({ orgId: '7', kind: 'get' });
    running.release();
    answer();
    expect((await second).allowed).toBe(true);
    expect((await scene.meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(false);
  });

  test('gives credits back after an error of ours, once, and not after one of the client', async () => {
    const { meter, orgs, clock, store } = open();
    orgs.set('7', onCredits(100));
    const ours = await meter.acquire({ orgId: '7', kind: 'count' });
    const theirs = await meter.acquire({ orgId: '7', kind: 'update_many' });
    ours.release(503);
    ours.release(503);
    theirs.release(404);
    await clock.move(5);
    const found = await store.find('7', DAY);
    expect(found).toMatchObject({ usage: { credits: 75, creditsGivenBack: 50, callsGivenBack: 1 }, inFlight: 0 });
  });

  test('charges a call that is asked twice once', async () => {
    const { meter, orgs, store } = open();
    orgs.set('7', onCredits(3));
    const call = { orgId: '7', kind: 'list', callId: 'same' };
    expect((await meter.acquire(call)).allowed).toBe(true);
    expect((await meter.acquire(call)).allowed).toBe(true);
    expect(await store.find('7', DAY)).toMatchObject({ usage: { calls: 1, credits: 3 } });
  });

  test('counts a call of an unknown kind at 1, and tells of it', async () => {
    const { meter, orgs, store, events } = open();
    orgs.set('7', onCredits(3));
    for (const kind of ['got', '__proto__']) await meter.acquire({ orgId: '7', kind });
    expect(await store.find('7', DAY)).toMatchObject({ usage: { kinds: { unknown: { calls: 2, credits: 2 } } } });
    expect(events).toEqual([{ kind: 'unknown_kind', calls: 1 }]);
  });
});

describe('a raise', () => {
  test('works on the next call after more than a second, and nothing is read meanwhile', async () => {
    const { meter, orgs, clock, readings } = open();
    orgs.set('7', onCredits(50));
    await meter.acquire({ orgId: '7', kind: 'count' });
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(false);
    orgs.set('7', onCredits(60));
    const before = readings.length;
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(false);
    expect(readings).toHaveLength(before);
    expect(meter.counts().refusedLocally).toBe(1);
    await clock.move(1000);
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(true);
  });

  test('works at once where the org was not refused before', async () => {
    const { meter, orgs } = open();
    orgs.set('7', onCredits(50));
    await meter.acquire({ orgId: '7', kind: 'count' });
    orgs.set('7', onCredits(60));
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(true);
  });

  test('of many orgs at their limit is read together', async () => {
    const { meter, orgs, readings } = open();
    const ids = Array.from({ length: 20 }, (_, at) => `org ${at}`);
    for (const id of ids) orgs.set(id, onCredits(0));
    const refused = await Promise.all(ids.map((orgId) => meter.acquire({ orgId, kind: 'get' })));
    expect(refused.some(({ allowed }) => allowed)).toBe(false);
    expect(readings).toEqual([ids, ids]);
  });

  test('and a fall are seen within 10 s', async () => {
    const { meter, orgs, clock } = open();
    orgs.set('7', onCredits(50));
    await meter.acquire({ orgId: '7', kind: 'get' });
    orgs.set('7', onCredits(10));
    await clock.move(10_000);
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).headers['X-Rate-Limit-Remaining-v3']).toBe('8');
  });
});

describe('enforcement', () => {
  test('in shadow allows, sends the headers and counts what it would refuse', async () => {
    const { meter, orgs, store } = open({ enforce: () => ({ credits: 'shadow', concurrency: 'off' }) });
    orgs.set('7', onCredits(1, 1));
    await meter.acquire({ orgId: '7', kind: 'get' });
    const over = await meter.acquire({ orgId: '7', kind: 'count' });
    expect(over).toMatchObject({ allowed: true, headers: { 'X-Rate-Limit-Remaining-v3': '0' } });
    expect(over.headers['RateLimit-Policy']).not.toContain('concurrency');
    expect(await store.find('7', DAY)).toMatchObject({
      usage: { calls: 2, refusedByCredits: 0, shadowByCredits: 1, shadowByConcurrency: 0, peakInFlight: 2 },
    });
  });

  test('of one org wins over that of its data center', async () => {
    const { meter, orgs } = open({ enforce: () => ({ credits: 'shadow', concurrency: 'shadow' }) });
    orgs.set('7', { ...onCredits(0), enforce: { credits: 'on' } });
    orgs.set('8', onCredits(0));
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(false);
    expect((await meter.acquire({ orgId: '8', kind: 'get' })).allowed).toBe(true);
  });
});

describe('a cell that cannot be read', () => {
  test('lets an org exceed what was read last by a tenth, and counts it', async () => {
    const { meter, orgs, clock, failCell, events } = open();
    orgs.set('7', onCredits(100));
    for (const kind of ['count', 'count']) await meter.acquire({ orgId: '7', kind });
    failCell(new Error('away'));
    const allowed: boolean[] = [];
    for (let at = 0; at < 11; at += 1) {
      await clock.move(1000);
      allowed.push((await meter.acquire({ orgId: '7', kind: 'get' })).allowed);
    }
    expect(allowed).toEqual([...Array.from({ length: 10 }, () => true), false]);
    expect(meter.counts().allowedUnconfirmed).toBe(10);
    expect(events).toContainEqual({ kind: 'capacity_unread', error: new Error('away') });
  });

  test('refuses no org of which nothing was ever read', async () => {
    const { meter, failCell } = open();
    failCell(new Error('away'));
    expect((await meter.acquire({ orgId: '7', kind: 'count' })).allowed).toBe(true);
  });
});

describe('bad input', () => {
  test.each([
    [{ orgId: '', kind: 'get' }, 'orgId'],
    [{ orgId: 'x'.repeat(2_001), kind: 'get' }, 'orgId'],
    [{ orgId: 'a\u0000b', kind: 'get' }, 'orgId'],
    [{ orgId: '7', kind: 'k'.repeat(101) }, 'kind'],
    [{ orgId: '7', kind: 'get', callId: '\ud800' }, 'callId'],
    [{ orgId: '7', kind: 'delete', records: -1 }, 'records'],
    [{ orgId: '7', kind: 'list', from: 1.5 }, 'from'],
    [{ orgId: '7', kind: 'list', limit: 1e10 }, 'limit'],
    [{ orgId: 7 as unknown as string, kind: 'get' }, 'orgId'],
    [{ orgId: '7', kind: 'list', limit: '5' as unknown as number }, 'limit'],
  ])('is an error that names the part: %j', async (call, part) => {
    const { meter, store } = open();
    await expect(meter.acquire(call)).rejects.toMatchObject({
      code: 'invalid_call',
      message: expect.stringContaining(part),
    });
    expect(() => meter.quote(call)).toThrow(part);
    expect(await store.collect(10, 'first')).toEqual([]);
  });
});
