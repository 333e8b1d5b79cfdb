// How much of a day's limit is used, in percent, and which alerts that is worth.

/** Percent of a day's limit at which somebody is told, once per org and day. */
export const ALERT_LEVELS = [80, 100] as const;
export type AlertLevel = (typeof ALERT_LEVELS)[number];

/** Whole percent, rounded down: 100 only when nothing is left. */
export function percentUsed(used: number, limit: number): number {
  if (used >= limit) return 100;
  return Number((100n * BigInt(Math.max(0, used))) / BigInt(limit));
}

/** The levels that are reached; a limit of null is none. */
export function listReachedLevels(used: number, limit: number | null): readonly AlertLevel[] {
  return limit === null ? [] : ALERT_LEVELS.filter((level) => percentUsed(used, limit) >= level);
}
