// Exact limits: what a person wrote is what is compared, and no text hides a breach.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exceeds, type Fraction, formatAgainst, toFraction } from '../../../src/domain/plan/fraction.js';
import { UNSHRUNK } from './sample-plan.js';

const finite = fc.double({ min: 0, max: 1e300, noNaN: true });
const fraction: fc.Arbitrary<Fraction> = fc.record({
  numerator: fc.bigInt({ min: 0n, max: 10n ** 40n }),
  denominator: fc.bigInt({ min: 1n, max: 10n ** 40n }),
});

/** The number that a text of ours shows, exactly. */
function readText(text: string): Fraction {
  const [whole = '', decimals = ''] = text.replaceAll(',', '').split('.');
  return { numerator: BigInt(whole + decimals), denominator: 10n ** BigInt(decimals.length) };
}

describe('toFraction', () => {
  test.each([
    [0, 0n, 1n],
    [3, 3n, 1n],
    [0.1, 1n, 10n],
    [2.5, 25n, 10n],
    [1.5e-7, 15n, 10n ** 8n],
    [1e21, 10n ** 21n, 1n],
    [1.25e22, 125n * 10n ** 20n, 1n],
    [Number.MAX_SAFE_INTEGER, 2n ** 53n - 1n, 1n],
  ])('reads %d as it is written', (value, numerator, denominator) => {
    expect(toFraction(value)).toEqual({ numerator, denominator });
  });

  test('reads every number as the same number', () => {
    fc.assert(
      fc.property(finite, (value) => {
        const { numerator, denominator } = toFraction(value);
        expect(Number(`${numerator}e-${String(denominator).length - 1}`)).toBe(value);
      }),
    );
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('rejects %d, which is no limit', (value) => {
    expect(() => toFraction(value)).toThrow('not a limit');
  });
});

describe('exceeds', () => {
  test('is decided by the last unit, whatever the size', () => {
    const huge = 10n ** 40n;
    const limit = { numerator: huge, denominator: 3n };
    expect(exceeds({ numerator: huge, denominator: 3n }, limit)).toBe(false);
    expect(exceeds({ numerator: huge + 1n, denominator: 3n }, limit)).toBe(true);
  });

  test('orders numbers as they are ordered', () => {
    fc.assert(
      fc.property(finite, finite, (one, other) => {
        expect(exceeds(toFraction(one), toFraction(other))).toBe(one > other);
      }),
      UNSHRUNK,
    );
  });
});

describe('formatAgainst', () => {
  test.each([
    [{ numerator: 5_000_001n, denominator: 1_000_000n }, 5, '5.01'],
    [{ numerator: 5n, denominator: 1n }, 5, '5'],
    [{ numerator: 412n, denominator: 100n }, 5, '4.12'],
    [{ numerator: 1_234_567n, denominator: 1n }, 5, '1,234,567'],
    [{ numerator: 50_049n, denominator: 10_000n }, 5.005, '5.005'],
    [{ numerator: 1n, denominator: 3n }, 1, '0.34'],
  ])('shows %o beside the limit %d as %s', (value, limit, text) => {
    expect(formatAgainst(value, toFraction(limit))).toBe(text);
  });

  test('reads above the limit exactly when it is above it', () => {
    const limits = fc.double({ min: 0, max: 1e15, noNaN: true }).map(toFraction);
    fc.assert(
      fc.property(fraction, limits, (value, limit) => {
        const shown = readText(formatAgainst(value, limit));
        expect(exceeds(shown, limit)).toBe(exceeds(value, limit));
      }),
      UNSHRUNK,
    );
  });

  test('shows a limit as it was written', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e15, noNaN: true }), (value) => {
        const limit = toFraction(value);
        expect(Number(formatAgainst(limit, limit).replaceAll(',', ''))).toBe(value);
      }),
    );
  });
});
