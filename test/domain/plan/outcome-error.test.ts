// How far a prediction was off: sign, tenths, and numbers beyond what a float holds.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureError, measureOutcome } from '../../../src/domain/plan/outcome-error.js';

describe('measureError', () => {
  test.each([
    [1000n, 1000n, 0],
    [1000n, 1001n, 0.1],
    [1000n, 998n, -0.2],
    [1000n, 0n, -100],
    [3n, 4n, 33.3],
    [100_000n, 99_999n, -0.1],
    [100_000n, 100_001n, 0.1],
    [0n, 0n, 0],
    [0n, 5n, null],
  ])('%s predicted and %s found is %s percent', (predicted, actual, percent) => {
    expect(measureError(predicted, actual)).toBe(percent);
  });

  test('is exact above 2^53, never a negative zero, and has the sign of the difference', () => {
    const sum = fc.bigInt({ min: 1n, max: 10n ** 24n });
    fc.assert(
      fc.property(sum, fc.integer({ min: -900, max: 5_000 }), (predicted, permille) => {
        const actual = predicted + (predicted * BigInt(permille)) / 1000n;
        const error = measureError(predicted * 1000n, predicted * 1000n + predicted * BigInt(permille));
        expect(error).toBe(permille / 10 + 0);
        expect(Object.is(measureError(predicted, actual), -0)).toBe(false);
      }),
    );
  });
});

describe('measureOutcome', () => {
  test('measures orgs and credits, and the duration against the likely one', () => {
    const outcome = {
      ...({ runId: '7', state: 'done' } as const),
      predicted: { touched: 100, credits: '9007199254740993000', p50Ms: 1_000, p90Ms: 4_000, short: null },
      actual: {
        touched: 99,
        credits: '9016206453995733993',
        durationMs: 1_500,
        waitedMs: null,
        stale: 1,
        followUpSkippedAt: null,
        quarantined: 0,
        refused: null,
      },
    };
    expect(measureOutcome(outcome)).toEqual({ touched: -1, credits: 0.1, duration: 50 });
  });
});
