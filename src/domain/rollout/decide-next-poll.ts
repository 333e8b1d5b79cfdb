// Decides when a scheduler polls next: at the next known instant, and not later than usual. Pure.

/** What lies ahead of a data center; null: nothing of the kind. */
export interface KnownInstants {
  readonly notBeforeAt: Date | null;
  readonly bakeUntil: Date | null;
  readonly pausedUntil: Date | null;
  readonly gateEffectiveAt: Date | null;
  readonly gateLatchedAt: Date | null;
}

/** A gate whose instant has come is tried once a second until it is latched. */
const LATCH_MS = 1_000;

/** In ms, from 0 to `usualMs`. */
export function decideNextPoll(all: readonly KnownInstants[], now: Date, usualMs: number): number {
  const waits = all.flatMap(({ notBeforeAt, bakeUntil, pausedUntil, gateEffectiveAt, gateLatchedAt }) => [
    ...[notBeforeAt, bakeUntil, pausedUntil].filter((at) => at !== null && at > now),
    ...(gateLatchedAt === null && gateEffectiveAt !== null
      ? [gateEffectiveAt > now ? gateEffectiveAt : new Date(now.getTime() + LATCH_MS)]
      : []),
  ]);
  return Math.min(usualMs, ...waits.map((at) => (at?.getTime() ?? 0) - now.getTime()));
}
