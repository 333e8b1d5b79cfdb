// One id is one thing: a call id used twice is one call, of which no more is given back than it was charged, and an org
// has one day, however its id is written.
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { createMeterServer } from '../../src/http/meter-server.js';
import { systemClock } from '../../src/kernel/clock.js';
import type { MeterOptions } from '../../src/meter/create-meter.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import { LEASE_MS } from '../../src/stores/meter/meter-store.js';
import { createHandClock, onCredits, openMeter } from './meter-scene.js';

const DAY = '2026-05-05';
/** Ten minutes before midnight in Kolkata. */
const LATE = Date.UTC(2026, 4, 5, 18, 20);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function open(options: Partial<MeterOptions> = {}) {
  const clock = createHandClock(LATE - 10 * 3_600_000);
  const store = createMemoryMeterStore(() => clock.nowMs);
  const openOne = () => {
    const scene = openMeter(store, { clock, ...options });
    closers.push(() => scene.meter.close());
    scene.orgs.set('7', onCredits(1000, 20));
    return scene;
  };
  const find = async (day = DAY) => (await store.find('7', day))?.usage;
  return { ...openOne(), clock, store, openOne, find };
}

const REUSED = { code: 'call_id_reused' };
const cheap = { orgId: '7', kind: 'get', callId: 'r1' } as const;
const dear = { ...cheap, kind: 'count' } as const;

describe('a call id that is in flight', () => {
  test('is refused to a call of another price or kind, which is charged nothing and gives nothing back', async () => {
    const { meter, clock, store, find } = open();
    const first = await meter.acquire(cheap);
    for (const other of [dear, { ...cheap, kind: 'list', limit: 0 }, { ...cheap, kind: 'create' }])
      await expect(meter.acquire(other)).rejects.toMatchObject(REUSED);
    expect(await find()).toMatchObject({ calls: 1, credits: 1 });
    first.release(500);
    await clock.move(5);
    expect(await find()).toMatchObject({ callsGivenBack: 1, creditsGivenBack: 1 });
    expect((await meter.acquire(dear)).allowed).toBe(true);
    expect(await store.find('7', DAY)).toMatchObject({ usage: { calls: 2, credits: 51 }, inFlight: 1 });
  });

  test('gives back once, on the day that was charged, however often and wherever it is asked for', async () => {
    const { meter, openOne, clock, store, find } = open();
    const other = openOne();
    await clock.move(10 * 3_600_000 + 10 * 60_000 - 1000);
    const first = await meter.acquire(dear);
    await clock.move(1000);
    const [second, third] = [await other.meter.acquire(dear), await meter.acquire(dear)];
    second.release(500);
    await clock.move(5);
    // the first one holds its slot again, of which nothing is left to give
    await clock.move(LEASE_MS / 2);
    await clock.move(LEASE_MS / 4);
    expect(await store.find('7', DAY)).toMatchObject({ inFlight: 1 });
    for (const { release } of [third, first, first]) release(500);
    await clock.move(5);
    expect(await find()).toMatchObject({ credits: 50, callsGivenBack: 1, creditsGivenBack: 50 });
    expect(await find('2026-05-06')).toMatchObject({ credits: 0, creditsGivenBack: 0 });
    expect(await store.find('7', DAY)).toMatchObject({ inFlight: 0 });
  });

  test('is one call over HTTP too: 409 for another price, and what was charged is what comes back', async () => {
    const { meter, find, clock } = open();
    const server = createMeterServer({
      meter,
      clock: systemClock,
      findDetails: async () => undefined,
      isCellRead: () => true,
      costs: new Map(),
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const post = async (path: string, body: unknown) => {
      const reply = await fetch(base + path, { method: 'POST', body: JSON.stringify(body) });
      return { status: reply.status, body: await reply.json() };
    };
    for (const status of [200, 200]) expect(await post('/acquire', cheap)).toMatchObject({ status });
    expect(await post('/acquire', dear)).toMatchObject({ status: 409, body: { ...REUSED, status: 409 } });
    const headers = { 'x-org-id': '7', 'x-call-kind': 'count', 'x-call-id': 'r1', 'x-refuse-status': '403' };
    const told = await fetch(`${base}/authorize`, { headers });
    expect([told.status, told.headers.get('x-problem-status')]).toEqual([403, '409']);
    const ended = { orgId: '7', callId: 'r1', status: 500 };
    expect((await post('/release', [ended, ended])).body).toEqual({ released: 1, unknown: 1 });
    await clock.move(5);
    expect(await find()).toMatchObject({ calls: 1, credits: 1, creditsGivenBack: 1 });
  });
});

test('no history of calls gives back more than it charged, nor on another day', async () => {
  const limits = { model: 'credits', capacity: null, concurrency: null, enforceCredits: 'on' } as const;
  const step = fc.record({
    does: fc.constantFrom('acquire', 'acquire', 'renew', 'give back', 'give back', 'pay', 'wait', 'midnight'),
    callId: fc.constantFrom('a', 'b'),
    credits: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      let nowMs = 0;
      const store = createMemoryMeterStore(() => nowMs);
      const days = [0, 1].map((n) => ({ day: `day ${n}`, startMs: n * 600_000, endMs: (n + 1) * 600_000 }));
      const [first, second] = days;
      if (first === undefined || second === undefined) throw new Error('two days');
      const live = new Map<string, { readonly day: string; readonly credits: number }>();
      const due = new Map(days.map(({ day }) => [day, 0]));
      for (const { does, callId, credits } of steps) {
        const { day } = nowMs < second.startMs ? first : second;
        const call = { orgId: '7', callId, kind: 'get', credits, day };
        if (does === 'wait') nowMs = Math.min(nowMs + LEASE_MS / 2, second.endMs - 1);
        if (does === 'midnight') nowMs = Math.max(nowMs, second.startMs);
        if (does === 'renew') await store.renew([call], 'renewed');
        if (does === 'acquire') {
          const asked = [{ ...call, limits: { ...limits, enforceConcurrency: 'on' as const } }];
          const [answer] = (await store.acquire([first, second], asked)).answers;
          if (answer?.kind === 'decided' && !answer.repeated) live.set(callId, { day, credits });
        }
        if (does !== 'give back' && does !== 'pay') continue;
        await store.release([{ ...call, outcome: does === 'pay' ? 'paid' : 'given back' }], []);
        const charged = live.get(callId);
        live.delete(callId);
        if (charged !== undefined && does === 'give back')
          due.set(charged.day, (due.get(charged.day) ?? 0) + charged.credits);
        for (const [name, most] of due)
          expect((await store.find('7', name))?.usage.creditsGivenBack ?? 0).toBeLessThanOrEqual(most);
      }
    }),
    { numRuns: 200 },
  );
});

test('an org has one day and one limit under every spelling of its id, also while its cell is away', async () => {
  let away = false;
  const readCapacity: MeterOptions['readCapacity'] = async (ids) => {
    if (away) throw new Error('away');
    return new Map(ids.map((id) => [id, { ...onCredits(100, 2), orgId: String(Number(id)) }]));
  };
  const { meter, clock, store, find } = open({ readCapacity });
  const ask = (orgId: string) => meter.acquire({ orgId, kind: 'update_many' });
  const [first, second] = [await ask('07'), await ask(' 7')];
  expect((await ask('7')).body?.code).toBe('TOO_MANY_REQUESTS');
  first.release();
  second.release();
  await clock.move(1000);
  away = true;
  for (const orgId of ['+7', '007', '07', '7']) (await ask(orgId)).release();
  expect(await find()).toMatchObject({ credits: 100 });
  expect([await store.find('07', DAY), await store.find(' 7', DAY)]).toEqual([undefined, undefined]);
  expect(await meter.details('07')).toMatchObject({ usage: { credits: 100 } });
});
