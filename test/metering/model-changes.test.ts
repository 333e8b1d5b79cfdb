// An org whose model changes in the middle of a day: until its next reset it keeps the unit that the day began with,
// against the larger of both numbers.
import { afterEach, describe, expect, test } from 'vitest';
import type { CellLimits } from '../../src/meter/limit-cache.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import { createHandClock, type MeterScene, onCredits, onLegacy, openMeter } from './meter-scene.js';

/** Midnight in Kolkata. */
const MIDNIGHT = Date.UTC(2026, 4, 4, 18, 30);
const HOUR = 3_600_000;

const opened: MeterScene[] = [];
afterEach(async () => {
  for (const { meter } of opened.splice(0)) await meter.close();
});

function open() {
  const clock = createHandClock(MIDNIGHT);
  const scene = openMeter(
    createMemoryMeterStore(() => clock.nowMs),
    { clock },
  );
  opened.push(scene);
  return { ...scene, clock };
}

describe('a migration', () => {
  test('keeps the old unit until the reset, against the larger number, without a limit on calls at once', async () => {
    const { meter, orgs, clock } = open();
    orgs.set('7', onLegacy(2));
    const first = await meter.acquire({ orgId: '7', kind: 'count' });
    orgs.set('7', onCredits(1, 1));
    await clock.move(10_000);
    const second = await meter.acquire({ orgId: '7', kind: 'count' });
    expect(second.headers).toMatchObject({
      'X-Rate-Limit-Request-Weight-v3': '1',
      RateLimit: expect.stringContaining('"calls";r=0'),
    });
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(false);
    for (const { release } of [first, second]) release();
    await clock.move(24 * HOUR);
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).allowed).toBe(true);
    expect((await meter.acquire({ orgId: '7', kind: 'get' })).body?.code).toBe('THRESHOLD_EXCEEDED');
  });
});

describe('an undo', () => {
  test('keeps the credits of the day until the reset, against the larger number', async () => {
    const { meter, orgs, clock } = open();
    const ask = async (kind = 'get') => {
      const { allowed, headers, release } = await meter.acquire({ orgId: '7', kind });
      release();
      return allowed && headers.RateLimit;
    };
    orgs.set('7', onCredits(60, 1));
    await ask('count');
    orgs.set('7', onLegacy(5));
    await clock.move(10_000);
    const held = await meter.acquire({ orgId: '7', kind: 'list' });
    expect(await ask()).toMatch(/^"credits";r=6;t=\d+$/u);
    held.release();
    expect([await ask('list'), await ask('list'), await ask()]).toEqual([
      expect.any(String),
      expect.any(String),
      false,
    ]);
    expect((await meter.details('7')).limit).toBe(60);
    await clock.move(24 * HOUR);
    for (let left = 4; left >= 0; left -= 1) expect(await ask('count')).toContain(`"calls";r=${left};`);
    expect(await ask()).toBe(false);
  });

  test('of what was migrated on the same day keeps its calls, against the larger number', async () => {
    const { meter, orgs, clock } = open();
    const askAs = async (limits: CellLimits, calls: number) => {
      orgs.set('7', limits);
      await clock.move(10_000);
      const asked = Array.from({ length: calls }, () => meter.acquire({ orgId: '7', kind: 'count' }));
      return (await Promise.all(asked)).filter(({ allowed }) => allowed).length;
    };
    expect(await askAs(onLegacy(2), 1)).toBe(1);
    expect(await askAs(onCredits(5), 1)).toBe(1);
    expect(await askAs(onLegacy(2), 9)).toBe(3);
    expect((await meter.details('7')).limit).toBe(5);
    await clock.move(24 * HOUR);
    expect(await askAs(onLegacy(2), 9)).toBe(2);
  });
});
