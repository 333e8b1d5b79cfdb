// Estimates: a range that is never negative and never made of too little.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { estimateRemaining, progressShare } from '../../../src/domain/time/estimate.js';

const reading = {
  doneOrgs: 50_000,
  totalOrgs: 100_000,
  batchDurationsMs: [100, 100, 200],
  batchOrgs: 10_000,
  lanes: 2,
};

describe('estimateRemaining', () => {
  test('gives the median for the rest and the ninetieth percentile for whole rounds', () => {
    expect(estimateRemaining(reading)).toEqual({ lowMs: 250, highMs: 600 });
  });

  test('is nothing when everything is done, or more than was counted', () => {
    expect(estimateRemaining({ ...reading, doneOrgs: 100_001 })).toEqual({ lowMs: 0, highMs: 0 });
  });

  test('gives none with fewer than three batches or without a batch size', () => {
    expect(estimateRemaining({ ...reading, batchDurationsMs: [100, 100] })).toBeUndefined();
    expect(estimateRemaining({ ...reading, batchDurationsMs: [100, 100, Number.NaN] })).toBeUndefined();
    expect(estimateRemaining({ ...reading, batchOrgs: 0 })).toBeUndefined();
  });

  test('is a range of numbers that are not negative', () => {
    const count = fc.integer({ min: -10, max: 20_000_000 });
    fc.assert(
      fc.property(count, count, fc.array(fc.double(), { maxLength: 40 }), count, fc.nat(40), (...args) => {
        const [doneOrgs, totalOrgs, batchDurationsMs, batchOrgs, lanes] = args;
        const range = estimateRemaining({ doneOrgs, totalOrgs, batchDurationsMs, batchOrgs, lanes });
        if (range) expect(range.lowMs >= 0 && range.highMs >= range.lowMs).toBe(true);
      }),
    );
  });
});

describe('progressShare', () => {
  test.each([
    [0, 0, 1],
    [0, 10, 0],
    [5, 10, 0.5],
    [11, 10, 1],
    [-1, 10, 0],
  ])('shows %d of %d as %d', (done, total, share) => {
    expect(progressShare(done, total)).toBe(share);
  });
});
