// The one way in which a percentage is rounded. Exact: uses no double.
import { formatCredits } from './format-credits.js';

/**
 * A part of a whole as `4.1 %`: cut to a tenth, or to so many places. It is `0 %` only where there is none, and `100 %`
 * only where it is all: what is less than the last place shows as one of it. A whole of 0 counts as 1.
 */
export function formatPercent(part: bigint, whole: bigint, places = 1): string {
  if (part === 0n) return '0 %';
  if (part === whole) return '100 %';
  const scale = 10n ** BigInt(places);
  const cut = (part * 100n * scale) / (whole > 0n ? whole : 1n);
  const units = cut > 0n ? cut : 1n;
  const decimals = String(units % scale).padStart(places, '0');
  return `${formatCredits(units / scale)}.${decimals} %`;
}

/** The change by `difference` of a whole, with its sign: `+4.1 %`. */
export function formatPercentChange(difference: bigint, whole: bigint): string {
  if (difference === 0n) return '0 %';
  return difference < 0n ? `-${formatPercent(-difference, whole)}` : `+${formatPercent(difference, whole)}`;
}
