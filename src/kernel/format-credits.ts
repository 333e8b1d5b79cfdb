// Shows credits to people. Uses no double and not the machine's locale.

/** With thousands separators: 1500000n is `1,500,000`. */
export function formatCredits(credits: bigint): string {
  return String(credits).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
