// What a meter knows of orgs while somebody asks for ids that no org has, and while readings fail.
import { expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.js';
import { type CellLimits, createLimitCache } from '../../src/meter/limit-cache.js';

const ENFORCED = { credits: 'on', concurrency: 'on' } as const;

function open(capacity = 100n) {
  const scene = {
    atMs: 1_000_000,
    capacity,
    asked: [] as (readonly string[])[],
    fails: (_: readonly string[]) => false,
  };
  const failures: unknown[] = [];
  const cache = createLimitCache({
    clock: { ...systemClock, now: () => new Date(scene.atMs) },
    enforce: () => ENFORCED,
    onFailure: (error) => failures.push(error),
    readCapacity: async (ids) => {
      scene.asked.push(ids);
      if (scene.fails(ids)) throw new Error('late');
      const org: CellLimits = { model: 'credits', capacity: scene.capacity, concurrency: null };
      return new Map(ids.filter((id) => id.startsWith('org')).map((id) => [id, org]));
    },
  });
  return { scene, cache, failures };
}

const count = (n: number): readonly string[] => Array.from({ length: n }, (_, at) => `org${at}`);

test('ids that no org has are not read again but by their own call, and are forgotten', async () => {
  const { scene, cache } = open();
  await Promise.all(['org1', ...Array.from({ length: 3_000 }, (_, n) => `none${n}`)].map((id) => cache.read(id)));
  scene.asked.length = 0;
  scene.atMs += 9_000;
  await cache.refresh();
  expect(scene.asked).toEqual([['org1']]);
  expect(cache.find('none1')).toMatchObject({ limits: { capacity: null } });
  scene.atMs += 1_000;
  expect(cache.find('none1')).toBeUndefined();
  expect(cache.find('org1')).toBeDefined();
});

test('a reading that fails keeps only its own orgs from being refreshed', async () => {
  const { scene, cache, failures } = open();
  await Promise.all(count(1_200).map((id) => cache.read(id)));
  scene.capacity = 7n;
  scene.fails = (ids) => ids.includes('org3');
  scene.asked.length = 0;
  await cache.refresh();
  expect(scene.asked.map((ids) => ids.length)).toEqual([500, 500, 200]);
  expect([failures.length, cache.find('org1')?.limits.capacity, cache.find('org1100')?.limits.capacity]).toEqual([
    1, 100, 7,
  ]);
});

test('a cell that is away is not asked for every org', async () => {
  const { scene, cache, failures } = open();
  await Promise.all(count(5_000).map((id) => cache.read(id)));
  scene.fails = () => true;
  await cache.refresh();
  expect(failures).toHaveLength(3);
});

test('other spellings of an id lead to one org that is read, and only the last 10,000 are kept', async () => {
  const asked: (readonly string[])[] = [];
  const cache = createLimitCache({
    clock: systemClock,
    enforce: () => ENFORCED,
    onFailure: () => undefined,
    readCapacity: async (ids) => {
      asked.push(ids);
      const org = { orgId: 'org', model: 'credits', capacity: 5n, concurrency: null } as const;
      return new Map(ids.map((id) => [id, org]));
    },
  });
  for (const part of [0, 1]) await Promise.all(Array.from({ length: 5_001 }, (_, n) => cache.read(`${part} ${n}`)));
  expect(cache.find('0 0')).toBeUndefined();
  expect(cache.find('1 0')).toMatchObject({ orgId: 'org', limits: { capacity: 5 } });
  asked.length = 0;
  await cache.refresh();
  expect(asked).toEqual([['org']]);
  expect(await cache.read('1 0')).toMatchObject({ orgId: 'org' });
  expect(asked).toEqual([['org'], ['org']]);
});

test('a clock that is set back keeps nobody from reading again', async () => {
  const { scene, cache } = open();
  await cache.read('none');
  scene.fails = () => true;
  expect(await cache.read('org1')).toMatchObject({ readAtMs: null });
  scene.fails = () => false;
  scene.atMs -= 3_600_000;
  expect((await cache.read('org1')).limits.capacity).toBe(100);
  expect(cache.find('none')).toBeUndefined();
});

test.each([
  [8_999_999_999_999_999n, 8_999_999_999_999_999],
  [9_000_000_000_000_000n, null],
])('a limit of %d is exact, or none', async (capacity, limit) => {
  expect((await open(capacity).cache.read('org1')).limits.capacity).toBe(limit);
});
