// What others lose by us, by how much they write.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isBusy, isShared, keepCalm, readLoss, seeCalm } from '../../../src/domain/checks/others-writes.js';

const LIMIT = 2;
const count = fc.double({ min: 0, max: 1e6, noNaN: true });

describe('what others write', () => {
  test.each([
    ['as much as before', 1_000, 1_000, 1],
    ['more', 1_200, 1_000, 1],
    ['7.5 % less', 925, 1_000, 1.5],
    ['15 % less: the limit', 850, 1_000, 2],
    ['nothing any more, which never holds', 0, 1_000, 2.9],
    ['too little to tell', 0, 199, null],
    ['enough to tell', 0, 200, 2.9],
    ['not known now', null, 1_000, null],
    ['not known before', 1_000, null, null],
  ])('%s', (_, perSecond, calmPerSecond, value) => {
    const loss = readLoss({ perSecond, calmPerSecond }, LIMIT);
    expect(loss === null ? null : Math.round(loss * 1e6) / 1e6).toBe(value);
  });

  test('uses the same part of any limit, and always less than twice', () => {
    fc.assert(
      fc.property(count, count, fc.double({ min: 1.1, max: 50, noNaN: true }), (perSecond, calmPerSecond, limit) => {
        const others = { perSecond, calmPerSecond };
        const at = (given: number): number => ((readLoss(others, given) ?? 1) - 1) / (given - 1);
        expect(at(limit)).toBeCloseTo(at(LIMIT), 6);
        expect(at(limit)).toBeGreaterThanOrEqual(0);
        expect(at(limit)).toBeLessThan(2);
      }),
    );
  });

  test('is usual as counted last while nothing of ours works, and is forgotten slowly beside our work', () => {
    expect(seeCalm({ perSecond: 500, calmPerSecond: null })).toBe(500);
    expect(seeCalm({ perSecond: 500, calmPerSecond: 600 })).toBe(500);
    expect(seeCalm({ perSecond: null, calmPerSecond: 600 })).toBeNull();
    expect(keepCalm({ perSecond: 500, calmPerSecond: 600 })).toBe(588);
    expect(keepCalm({ perSecond: 700, calmPerSecond: 600 })).toBe(700);
    expect(keepCalm({ perSecond: null, calmPerSecond: 600 })).toBe(588);
    // what is first seen beside our work is less than usual
    expect(keepCalm({ perSecond: 700, calmPerSecond: null })).toBeNull();
    let calm: number | null = 1_000;
    for (let look = 0; look < 40; look += 1) calm = keepCalm({ perSecond: 500, calmPerSecond: calm });
    expect(calm).toBe(500);
  });

  test('is much from 200 transactions a second', () => {
    expect([null, 0, 199.9, 200, 5_000].map((calmPerSecond) => isBusy({ perSecond: 0, calmPerSecond }))).toEqual([
      ...[false, false, false, true, true],
    ]);
  });

  test.each([
    ['nobody writes, and one of their sessions works half of the time', 0, 0.5, true],
    ['as little as our own processes ask beside our lanes', 0, 0.49, false],
    ['nobody at all', null, 0, false],
    ['many write, in sessions that work for moments only', 200, 0, true],
    ['not known', null, null, true],
  ])('share the processors with us: %s', (_, calmPerSecond, activeSessions, expected) => {
    expect(isShared({ perSecond: null, calmPerSecond, activeSessions })).toBe(expected);
  });
});
