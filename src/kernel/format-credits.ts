// Numbers for people. Never goes through a double or the machine's locale.

/** Digits with thousands separators: 1500000n is `1,500,000`. */
export function formatCredits(credits: bigint): string {
  return String(credits).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
