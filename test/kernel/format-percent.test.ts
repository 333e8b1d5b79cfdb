// The one way in which percentages are rounded.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatPercent, formatPercentChange } from '../../src/kernel/format-percent.js';

const amount = fc.bigInt({ min: 0n, max: 10n ** 24n });

describe('formatPercent', () => {
  test.each([
    [0n, 7n, '0 %'],
    [7n, 7n, '100 %'],
    [1n, 10n ** 9n, '0.1 %'],
    [10n ** 9n - 1n, 10n ** 9n, '99.9 %'],
    [1n, 3n, '33.3 %'],
    [20_000n, 1_000n, '2,000.0 %'],
    [5n, 0n, '500.0 %'],
  ])('shows %s of %s as %s', (part, whole, shown) => expect(formatPercent(part, whole)).toBe(shown));

  test('is 0 % only where there is none, 100 % only where it is all, and never more than the exact share', () => {
    fc.assert(
      fc.property(
        amount,
        amount.filter((whole) => whole > 0n),
        (part, whole) => {
          const shown = formatPercent(part, whole);
          expect(shown === '0 %').toBe(part === 0n);
          expect(shown === '100 %').toBe(part === whole);
          expect(part < whole && /^\d{3}/u.test(shown)).toBe(false);
          const tenths = BigInt(shown.replaceAll(/[^\d]/gu, '')) * (shown.includes('.') ? 1n : 10n);
          if (tenths > 1n) expect(tenths * whole).toBeLessThanOrEqual(part * 1_000n);
        },
      ),
    );
  });

  test('has a sign where it is a change', () => {
    expect(formatPercentChange(-1n, 3n)).toBe('-33.3 %');
    expect(formatPercentChange(1n, 3n)).toBe('+33.3 %');
    expect(formatPercentChange(0n, 3n)).toBe('0 %');
  });
});
