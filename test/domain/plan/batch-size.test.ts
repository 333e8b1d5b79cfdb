// The size of a batch: from a measured cost, within its bounds, never above what the goals allow.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BATCH_GOALS,
  CHOSEN_SIZES,
  chooseBatchOrgs,
  chooseByBatches,
  chooseByPlanning,
  SAMPLES,
} from '../../../src/domain/plan/batch-size.js';

const { least, most } = CHOSEN_SIZES;
const cost = fc.double({ min: 0, max: 10, noNaN: true });

describe('chooseBatchOrgs', () => {
  test('stays within its bounds, and above the least size both goals hold', () => {
    fc.assert(
      fc.property(cost, cost, (usualMs, longestMs) => {
        const orgs = chooseBatchOrgs({ usualMs, longestMs });
        expect(orgs).toBeGreaterThanOrEqual(least);
        expect(orgs).toBeLessThanOrEqual(most);
        if (orgs === least) return;
        expect(orgs * usualMs).toBeLessThanOrEqual(BATCH_GOALS.usualMs);
        expect(orgs * longestMs).toBeLessThanOrEqual(BATCH_GOALS.longestMs);
      }),
    );
  });

  test('never chooses more orgs where one costs more', () => {
    fc.assert(
      fc.property(cost, cost, cost, cost, (usualMs, longestMs, more, muchMore) => {
        const dearer = chooseBatchOrgs({ usualMs: usualMs + more, longestMs: longestMs + muchMore });
        expect(dearer).toBeLessThanOrEqual(chooseBatchOrgs({ usualMs, longestMs }));
      }),
    );
  });

  test.each([
    [0.015, 0.02, 10_000],
    [0.025, 0.03, 6_000],
    [0.02, 0.06, 4_000],
    [0.031, 0.031, 4_500],
    [1, 1, 500],
    [0, 0, 10_000],
  ])('chooses for %d ms an org, and %d of the longest, %d', (usualMs, longestMs, orgs) => {
    expect(chooseBatchOrgs({ usualMs, longestMs })).toBe(orgs);
  });
});

describe('chooseByBatches', () => {
  const batches = (count: number, orgs: number, durationMs: number) =>
    Array.from({ length: count }, () => ({ orgs, durationMs }));

  test('takes the usual cost of full batches, whatever the small ones took', () => {
    const measured = [...batches(20, 10_000, 300), ...batches(20, 200, 100)];
    expect(chooseByBatches(measured)).toEqual({ orgs: 5_000, basis: 'batches', perOrgUs: 30 });
  });

  test('obeys the slowest twentieth where that is much slower', () => {
    const measured = [...batches(36, 10_000, 200), ...batches(4, 10_000, 1_000)];
    expect(chooseByBatches(measured)).toEqual({ orgs: 2_500, basis: 'batches', perOrgUs: 20 });
  });

  test.each([
    ['none', []],
    ['too few', batches(4, 10_000, 300)],
    ['small ones', batches(40, 100, 300)],
  ])('does not choose by %s', (_what, measured) => {
    expect(chooseByBatches(measured)).toBeUndefined();
  });
});

describe('a view that is computed as a whole for each range', () => {
  // one read of it takes 1.5 s, a batch reads it once or three times, and an org takes 0.06 ms
  const batch = (orgs: number, reads: number) => ({ orgs, durationMs: 1_500 * reads + 0.06 * orgs });

  test.each([1, 2, 3])(
    'is read for as many orgs as may be, also by what batches took that read it %i times',
    (reads) => {
      const planned = Array.from({ length: SAMPLES }, () => batch(2_000, 1));
      expect(chooseByPlanning(planned)?.orgs).toBe(least);
      expect(chooseByPlanning(planned, 1_500)?.orgs).toBe(most);
      expect(chooseByBatches(Array(40).fill(batch(most, reads)), 1_500)?.orgs).toBe(most);
    },
  );

  test('changes nothing where the read is quick beside the goals', () => {
    expect(chooseBatchOrgs({ usualMs: 0.025, longestMs: 0.03 }, 0)).toBe(6_000);
    expect(chooseBatchOrgs({ usualMs: 0.025, longestMs: 0.03 }, 25)).toBe(5_000);
  });
});

describe('chooseByPlanning', () => {
  const range = (durationMs: number) => ({ orgs: 2_000, durationMs });

  test('waits for enough ranges, and leaves the first one out', () => {
    expect(chooseByPlanning([range(900), range(25)].slice(0, SAMPLES - 1))).toBeUndefined();
    const slow = chooseByPlanning([range(0), range(90), range(80)]);
    const quick = chooseByPlanning([range(900), range(25), range(24)]);
    expect([slow?.basis, slow?.orgs ?? 0]).toEqual(['planning', expect.any(Number)]);
    expect(slow?.orgs).toBeLessThan(quick?.orgs ?? 0);
  });
});
