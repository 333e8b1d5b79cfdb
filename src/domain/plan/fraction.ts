// Exact ratios of whole numbers, so that a limit is a limit: 0.1 is one tenth, and no sum is too large. Never a double.
import { formatCredits } from '../../kernel/format-credits.js';

/** numerator / denominator; neither is negative, and the denominator is not 0. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** What the shortest text of a number says; its denominator is a power of ten. Throws on negative or infinite ones: a programmer's error. */
export function toFraction(value: number): Fraction {
  const [, whole, decimals = '', exponent = '0'] = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/u.exec(String(value)) ?? [];
  if (whole === undefined) throw new Error(`not a limit: ${value}`);
  const digits = BigInt(whole + decimals);
  const shift = Number(exponent) - decimals.length;
  if (shift >= 0) return { numerator: digits * 10n ** BigInt(shift), denominator: 1n };
  return { numerator: digits, denominator: 10n ** BigInt(-shift) };
}

/** Whether one is more than the other, exactly. */
export function exceeds(one: Fraction, other: Fraction): boolean {
  return one.numerator * other.denominator > other.numerator * one.denominator;
}

/**
 * Decimal text, rounded up at the places of the limit or at two: what exceeds the limit never reads like it. A limit's
 * own text is exact.
 */
export function formatAgainst(value: Fraction, limit: Fraction): string {
  const places = Math.max(2, String(limit.denominator).length - 1);
  const scale = 10n ** BigInt(places);
  const digits = (value.numerator * scale + value.denominator - 1n) / value.denominator;
  const decimals = String(digits % scale)
    .padStart(places, '0')
    .replace(/0+$/u, '');
  return decimals === '' ? formatCredits(digits / scale) : `${formatCredits(digits / scale)}.${decimals}`;
}
