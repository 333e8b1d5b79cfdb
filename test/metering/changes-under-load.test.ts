// What changes while an org calls without a pause: each change is in force on the next call after at most a second of
// refusals, and nothing is charged that was refused. Then what late and slow things do: the cell, a call, a drain, the
// clock of a gateway.
import { afterEach, describe, expect, test } from 'vitest';
import type { MeterOptions } from '../../src/meter/create-meter.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import { LEASE_MS } from '../../src/stores/meter/meter-store.js';
import { createHandClock, type MeterScene, onCredits, onLegacy, openMeter } from './meter-scene.js';

/** Midnight in Kolkata. */
const MIDNIGHT = Date.UTC(2026, 4, 4, 18, 30);
const HOUR = 3_600_000;
const [DAY, NEXT_DAY] = ['2026-05-05', '2026-05-06'];

const opened: MeterScene[] = [];
afterEach(async () => {
  for (const { meter } of opened.splice(0)) await meter.close();
});

function open(options: Partial<MeterOptions> = {}, startMs = MIDNIGHT) {
  const clock = createHandClock(startMs);
  const store = createMemoryMeterStore(() => clock.nowMs);
  const scene = openMeter(store, { clock, ...options });
  opened.push(scene);
  /** So many calls at once; returns how many were allowed. */
  const flood = async (calls: number, orgId = '7'): Promise<number> => {
    const all = Array.from({ length: calls }, () => scene.meter.acquire({ orgId, kind: 'get' }));
    const admissions = await Promise.all(all);
    for (const { release } of admissions) release();
    return admissions.filter(({ allowed }) => allowed).length;
  };
  return { ...scene, clock, store, flood };
}

describe('while an org calls without a pause', () => {
  test.each([
    ['a rollout', onLegacy(20), onCredits(50), 30],
    ['a purchase', onCredits(20), onCredits(70), 50],
    ['a protecting override', onCredits(20), onCredits(1_000), 980],
  ])('%s raises what it may use within a second', async (_, before, after, more) => {
    const { orgs, clock, flood, store } = open();
    orgs.set('7', before);
    expect(await flood(60)).toBe(20);
    orgs.set('7', after);
    expect(await flood(60)).toBe(0);
    await clock.move(1_000);
    expect(await flood(more + 100)).toBe(more);
    await clock.move(5);
    expect(await store.find('7', DAY)).toMatchObject({ usage: { calls: 20 + more, credits: 20 + more } });
  });

  test('a quarantine changes nothing: what is enforced today stays', async () => {
    const { orgs, clock, flood } = open();
    orgs.set('7', onCredits(100));
    expect(await flood(40)).toBe(40);
    orgs.set('7', { ...onCredits(0), capacity: null });
    await clock.move(10_000);
    expect(await flood(100)).toBe(60);
    await clock.move(1_000);
    expect(await flood(10)).toBe(0);
  });

  test('its deletion ends its limits: an id that no org has is refused by nobody here', async () => {
    const { orgs, clock, flood } = open();
    orgs.set('7', onCredits(20));
    expect(await flood(30)).toBe(20);
    orgs.delete('7');
    await clock.move(1_000);
    expect(await flood(30)).toBe(30);
  });
});

test('a refusal that is asked again with other limits and refused again is counted once', async () => {
  const { meter, orgs, store } = open();
  orgs.set('7', onCredits(10));
  await meter.acquire({ orgId: '7', kind: 'list' });
  orgs.set('7', onCredits(20));
  expect((await meter.acquire({ orgId: '7', kind: 'count' })).allowed).toBe(false);
  orgs.set('7', onCredits(20, 1));
  expect((await meter.acquire({ orgId: '8', kind: 'count' })).allowed).toBe(true);
  await meter.close();
  expect(await store.find('7', DAY)).toMatchObject({
    usage: { calls: 1, credits: 3, refusedByCredits: 1, refusedByConcurrency: 0 },
  });
});

test('a cell that answers late keeps no call waiting for longer than a second, and the last number holds', async () => {
  let late = false;
  const never = new Promise<never>(() => undefined);
  const { meter, clock, events } = open({
    readCapacity: async (ids) => (late ? never : new Map(ids.map((id) => [id, onCredits(10)]))),
  });
  for (let at = 0; at < 10; at += 1) await meter.acquire({ orgId: '7', kind: 'get' });
  late = true;
  const waiting = { ends: false };
  const eleventh = meter.acquire({ orgId: '7', kind: 'get' }).finally(() => {
    waiting.ends = true;
  });
  const beganMs = clock.nowMs;
  while (!waiting.ends && clock.nowMs < beganMs + 60_000) await clock.move(100);
  expect([(await eleventh).allowed, clock.nowMs - beganMs <= 2_000]).toEqual([true, true]);
  expect(events).toContainEqual({ kind: 'capacity_unread', error: new Error('the cell did not answer in 1000 ms') });
  // it is not asked again for a second, and what is beyond the tenth that is given in doubt is refused
  expect((await meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(false);
  expect(meter.counts().allowedUnconfirmed).toBe(1);
});

test('a call whose lease ended has no slot, and what it gives back afterwards is not given twice', async () => {
  const clock = createHandClock(MIDNIGHT);
  const store = createMemoryMeterStore(() => clock.nowMs);
  // one gateway that stands still: nothing is renewed
  const stopped = openMeter(store, { clock: { ...clock, now: clock.now, sleep: () => new Promise(() => undefined) } });
  const other = openMeter(store, { clock });
  opened.push(other);
  for (const { orgs } of [stopped, other]) orgs.set('7', onCredits(1_000, 1));
  const running = await stopped.meter.acquire({ orgId: '7', kind: 'count' });
  expect((await other.meter.acquire({ orgId: '7', kind: 'get' })).body?.code).toBe('TOO_MANY_REQUESTS');
  await clock.move(60_000);
  expect((await other.meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(true);
  running.release(500);
  await stopped.meter.close();
  expect(await store.find('7', DAY)).toMatchObject({
    usage: { calls: 2, credits: 51, creditsGivenBack: 0 },
    inFlight: 1,
  });
});

test('a drain after midnight brings both days, and what ends then is given back to its own', async () => {
  const { meter, orgs, clock, store } = open();
  orgs.set('7', onCredits(1_000));
  await clock.move(24 * HOUR - 1);
  const last = await meter.acquire({ orgId: '7', kind: 'count' });
  await clock.move(1);
  (await meter.acquire({ orgId: '7', kind: 'get' })).release();
  last.release(503);
  await clock.move(5);
  const days = [...(await store.collect(10, 'first'))].sort((one, other) => (one.day < other.day ? -1 : 1));
  expect(days).toMatchObject([
    { day: DAY, credits: 50, creditsGivenBack: 50 },
    { day: NEXT_DAY, credits: 1, creditsGivenBack: 0 },
  ]);
});

test.each([-36 * HOUR, -HOUR, HOUR, 36 * HOUR])(
  'a gateway whose clock is wrong by %d ms counts on the day of the store',
  async (wrongMs) => {
    const right = createHandClock(MIDNIGHT + 12 * HOUR);
    const store = createMemoryMeterStore(() => right.nowMs);
    const wrong = openMeter(store, { clock: createHandClock(right.nowMs + wrongMs) });
    opened.push(wrong);
    wrong.orgs.set('7', onCredits(100));
    const { allowed, headers } = await wrong.meter.acquire({ orgId: '7', kind: 'list' });
    expect([allowed, headers.RateLimit]).toEqual([true, '"credits";r=97;t=43200']);
    expect(await store.find('7', DAY)).toMatchObject({ usage: { credits: 3 } });
  },
);

test('a clock of a gateway that is set back makes no refusal last, and lets no call lose its slot', async () => {
  const right = createHandClock(MIDNIGHT + 12 * HOUR);
  let wrongMs = 0;
  const clock = { sleep: right.sleep, now: () => new Date(right.nowMs + wrongMs) };
  const { meter, orgs, ...scene } = openMeter(
    createMemoryMeterStore(() => right.nowMs),
    { clock },
  );
  opened.push({ meter, orgs, ...scene });
  const ask = (orgId: string) => meter.acquire({ orgId, kind: 'get' });
  orgs.set('7', onCredits(1));
  orgs.set('8', onCredits(100, 1));
  await ask('8');
  await ask('7');
  expect((await ask('7')).allowed).toBe(false);
  orgs.set('7', onCredits(2));
  wrongMs = -HOUR;
  expect((await ask('7')).allowed).toBe(true);
  for (let quarter = 0; quarter < 6; quarter += 1) await right.move(LEASE_MS / 4);
  expect((await ask('8')).body?.code).toBe('TOO_MANY_REQUESTS');
});
