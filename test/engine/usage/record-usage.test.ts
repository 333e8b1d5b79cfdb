// What a meter writes into a cell: counters that only grow, whatever comes twice, late, in another order or for an org
// that cannot be.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEmptyUsage, type DayUsage, mergeUsage } from '../../../src/domain/meter/usage.js';
import { createMeterCell } from '../../../src/engine/usage/meter-cell.js';
import { readLimits } from '../../../src/engine/usage/read-limits.js';
import { recordUsage } from '../../../src/engine/usage/record-usage.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { listUsageOfDay, purgeOldUsage } from '../../../src/stores/cell/usage/usage-days.js';
import { applyAll, createTestCell, type TestCell } from '../../support/cell.js';

const LEGACY_ORGS = 60;
let cell: TestCell;
let today: string;
/** Orgs 1 to 10 have 150,000 credits; 11 to 70 have no allotment, and a legacy limit of 150,000 calls. */
beforeAll(async () => {
  cell = await createTestCell({ zone: 'Asia/Kolkata', orgs: Array.from({ length: 10 }, () => ({})) });
  await applyAll(cell);
  await cell.insertOrgs(...Array.from({ length: LEGACY_ORGS }, () => ({})));
  today = await localDay(0);
});
afterAll(() => cell.drop());

/** The local date so many days before today. */
async function localDay(daysAgo: number): Promise<string> {
  const [row] = await cell.sql(
    `select ((now() at time zone
    'Asia/Kolkata')::date - $1::int)::text as day`,
    [daysAgo],
  );
  return String(row?.day);
}

const usage = (orgId: string, changes: Partial<DayUsage> = {}): DayUsage => ({
  ...createEmptyUsage(orgId, today, 'credits'),
  ...changes,
});
const stored = (ids: readonly string[], day = today): Promise<readonly DayUsage[]> =>
  cell.cell.inTransaction('meter', (tx) => listUsageOfDay(tx, { ids, day }));
const alerts = (org: string): Promise<readonly unknown[]> =>
  cell.sql('select threshold::int from credit_rollout.usage_alerts where org_id = $1 order by 1', [org]);

const counter = fc.integer({ min: 0, max: 50 });
const kinds = fc.dictionary(
  fc.constantFrom('list', 'count', 'constructor', "o'hara\n"),
  fc.record({ calls: counter, credits: counter }, { noNullPrototype: true }),
  { noNullPrototype: true, maxKeys: 3 },
);
const reading = fc.record(
  {
    orgId: fc.constantFrom('1', '2', '12'),
    day: fc.constantFrom(0, 1),
    model: fc.constantFrom('credits' as const, 'legacy' as const),
    calls: counter,
    credits: counter,
    callsGivenBack: counter,
    creditsGivenBack: counter,
    refusedByCredits: counter,
    refusedByConcurrency: counter,
    peakInFlight: counter,
    shadowByCredits: counter,
    shadowByConcurrency: counter,
    kinds,
  },
  { noNullPrototype: true },
);

describe('recordUsage', () => {
  test('stores what merging all readings gives, in any order and in any parts, and twice', async () => {
    const days = [today, await localDay(1)];
    const known = new Map<string, DayUsage>();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(reading, { maxLength: 4 }), { maxLength: 4 }), async (parts) => {
        for (const part of parts) {
          const read = part.map((one) => ({ ...one, day: days[one.day] ?? today }));
          for (const one of read) {
            const key = `${one.orgId} ${one.day}`;
            const before = known.get(key);
            const bounded = {
              ...one,
              callsGivenBack: Math.min(one.callsGivenBack, one.calls),
              creditsGivenBack: Math.min(one.creditsGivenBack, one.credits),
            };
            known.set(key, mergeUsage(before ?? bounded, bounded));
          }
          expect(await recordUsage(cell.cell, [...read].reverse())).toMatchObject({ rejected: 0 });
          await recordUsage(cell.cell, read);
        }
        const found = (await Promise.all(days.map((day) => stored(['1', '2', '12'], day)))).flat();
        const key = ({ orgId, day }: DayUsage): string => `${orgId} ${day}`;
        const byKey = (one: DayUsage, other: DayUsage): number => (key(one) < key(other) ? -1 : 1);
        expect(found.toSorted(byKey)).toEqual([...known.values()].toSorted(byKey));
      }),
      { numRuns: 25 },
    );
  });

  test('writes nothing where all is known already', async () => {
    const read = usage('3', { calls: 3, credits: 9, kinds: { list: { calls: 3, credits: 9 } } });
    await recordUsage(cell.cell, [read]);
    const version = () => cell.sql('select xmin, ctid from credit_rollout.usage_days where org_id = 3');
    const before = await version();
    await recordUsage(cell.cell, [read, usage('3', { calls: 1, credits: 3, kinds: read.kinds })]);
    expect(await version()).toEqual(before);
  });

  test('counts what no org of the cell can have, and records the rest', async () => {
    const { rejected } = await recordUsage(cell.cell, [
      usage('abc'),
      usage(''),
      usage('99999999999999999999'),
      usage("1'; drop table x"),
      usage('4', { day: '2999-01-01', calls: 1 }),
      usage('4', { day: await localDay(93), calls: 1 }),
      usage('4', { day: await localDay(92), calls: 1 }),
      usage('4', { calls: 2 }),
    ]);
    expect(rejected).toBe(6);
    expect(await cell.sql('select calls::int from credit_rollout.usage_days where org_id = 4 order by day')).toEqual([
      { calls: 1 },
      { calls: 2 },
    ]);
  });

  test('records numbers up to 2^53 − 1 exactly, and stops at a number below 0', async () => {
    const most = Number.MAX_SAFE_INTEGER;
    await recordUsage(cell.cell, [usage('11', { calls: most, credits: most })]);
    expect(await stored(['11'])).toEqual([usage('11', { calls: most, credits: most })]);
    await expect(recordUsage(cell.cell, [usage('11', { calls: -1 })])).rejects.toMatchObject({ code: '23514' });
  });

  test('writes as many orgs as a drain has, part by part', async () => {
    const many = Array.from({ length: 10_001 }, (_, n) => usage(String(1_000_000 + n), { calls: n }));
    expect(await recordUsage(cell.cell, many)).toEqual({ rejected: 0, alerts80: 0, alerts100: 0 });
    const [count] = await cell.sql(`select count(*)::int, sum(calls)::int from credit_rollout.usage_days
      where org_id >= 1000000`);
    expect(count).toEqual({ count: 10_001, sum: 50_005_000 });
    await cell.sql('delete from credit_rollout.usage_days where org_id >= 1000000');
  });

  test('alerts once per org and day, at 80 % and when nothing is left or a call was refused', async () => {
    const use = (credits: number, more: Partial<DayUsage> = {}) =>
      recordUsage(cell.cell, [usage('5', { credits, ...more })]);
    expect(await use(119_999)).toEqual({ rejected: 0, alerts80: 0, alerts100: 0 });
    expect(await use(120_000)).toEqual({ rejected: 0, alerts80: 1, alerts100: 0 });
    expect(await use(149_999)).toEqual({ rejected: 0, alerts80: 0, alerts100: 0 });
    expect(await use(150_000)).toEqual({ rejected: 0, alerts80: 0, alerts100: 1 });
    expect(await use(150_001)).toEqual({ rejected: 0, alerts80: 0, alerts100: 0 });
    expect(await alerts('5')).toEqual([{ threshold: 80 }, { threshold: 100 }]);
    await recordUsage(cell.cell, [usage('6', { credits: 150_000, creditsGivenBack: 30_001 })]);
    expect(await alerts('6')).toEqual([]);
    await recordUsage(cell.cell, [usage('6', { credits: 1, refusedByCredits: 1 })]);
    expect(await alerts('6')).toEqual([{ threshold: 80 }, { threshold: 100 }]);
  });

  test('alerts for no org that is held to calls, and for no day that is over', async () => {
    await recordUsage(cell.cell, [
      usage('7', { model: 'legacy', credits: 200_000, refusedByCredits: 1 }),
      usage('8', { day: await localDay(1), credits: 200_000 }),
    ]);
    expect([await alerts('7'), await alerts('8')]).toEqual([[], []]);
  });
});

describe('readLimits', () => {
  test('gives total and concurrency of orgs with an allotment, and the legacy number of others', async () => {
    const { limits, unread } = await readLimits(cell.cell, [
      ...['1', '11', '01', ' 1', '+1', '1 ', '011', '404', 'abc', '1.0', '1e0', ''],
    ]);
    expect(unread).toEqual([]);
    const onCredits = { orgId: '1', model: 'credits', capacity: 150_000n, concurrency: 10 };
    const onLegacy = { orgId: '11', model: 'legacy', capacity: 150_000n, concurrency: null };
    expect(Object.fromEntries(limits)).toEqual({
      ...{ '1': onCredits, '01': onCredits, ' 1': onCredits, '+1': onCredits, '1 ': onCredits },
      ...{ '11': onLegacy, '011': onLegacy },
    });
  });

  test('reads at most 50 orgs from the source, and says which it left out', async () => {
    const ids = Array.from({ length: LEGACY_ORGS }, (_, n) => String(11 + n));
    const { limits, unread } = await readLimits(cell.cell, [...ids, ...ids, '1']);
    expect([limits.size, unread.length]).toEqual([51, 10]);
    expect([...limits.keys(), ...unread].toSorted()).toEqual([...ids, '1'].toSorted());
  });
});

test("a meter's role gets the page of an org, and nothing for an id that no org has", async () => {
  const { findDetails } = createMeterCell(cell.cell, systemClock);
  expect(await findDetails('01')).toMatchObject({ orgId: '1', total: 150_000n, concurrencyLimit: 10 });
  expect([await findDetails('404'), await findDetails("o'hara"), await findDetails('')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

describe('purge_usage', () => {
  test('deletes what is older than 92 days, and no more rows than asked', async () => {
    const old = await localDay(93);
    await cell.sql(
      `insert into credit_rollout.usage_days select org, $1::date, 'credits', 1, 1, 0, 0, 0, 0, 0, '{}'
      from generate_series(20, 24) org`,
      [old],
    );
    await cell.sql('insert into credit_rollout.usage_alerts values (20, $1::date, 80)', [old]);
    const purge = (limit: number): Promise<number> =>
      cell.cell.inTransaction('fencer', (tx) => purgeOldUsage(tx, limit));
    const [before] = await cell.sql('select count(*)::int from credit_rollout.usage_days');
    expect([await purge(-1), await purge(3), await purge(10), await purge(10)]).toEqual([0, 4, 2, 0]);
    const [after] = await cell.sql('select count(*)::int from credit_rollout.usage_days');
    expect(after).toEqual({ count: Number(before?.count) - 5 });
  });
});
