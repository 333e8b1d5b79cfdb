// Exact ratios of whole numbers: 0.1 is exactly one tenth, and no sum is too large. Never a double.
import { formatCredits } from '../../kernel/format-credits.js';

/** numerator / denominator; neither is negative, and the denominator is not 0. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The decimal that a number prints as. Throws for a negative or infinite number: a programmer's error. */
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
 * Decimal text with as many places as the limit, at least two, rounded up: a value above the limit never reads as
 * equal to it. The text of the limit itself is exact.
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
