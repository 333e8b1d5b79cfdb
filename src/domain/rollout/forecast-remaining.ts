// What is left of a rollout as a range, with the waits that are known before: a pause that ends by itself, closed
// windows and the bake. Pure.
import type { RemainingEstimate } from '../time/estimate.js';
import { isWindowOpen, type WindowSpec } from '../windows/windows.js';
import type { Stage } from './stage.js';

export interface PlannedWait {
  readonly for: 'pause' | 'window' | 'bake';
  readonly lowMs: number;
  readonly highMs: number;
}

/** The whole time, waits included. */
export interface RemainingForecast extends RemainingEstimate {
  /** Those that take time, in their order; the first number of each belongs to the first of the whole. */
  readonly waits: readonly PlannedWait[];
}

export interface RemainingFacts {
  readonly stage: Stage;
  /** Until everything is written; undefined: not known yet. */
  readonly work: RemainingEstimate | undefined;
  readonly windows: readonly WindowSpec[];
  readonly zone: string;
  /** Of the run. */
  readonly bakeMs: number;
  readonly bakeUntil: Date | null;
  /** When its pause ends; null: a person ends it. Left out: it is not paused. */
  readonly pausedUntil?: Date | null | undefined;
}

/**
 * Null: nothing is known, as in a pause without an end, or no window lets the work end within a year. Throws
 * invalid_zone.
 */
export function forecastRemaining(facts: RemainingFacts, now: Date): RemainingForecast | null {
  const { stage, work, bakeMs, bakeUntil, pausedUntil } = facts;
  if (pausedUntil === null) return null;
  const pauseMs = Math.max(0, (pausedUntil?.getTime() ?? 0) - now.getTime());
  const pause = { for: 'pause', lowMs: pauseMs, highMs: pauseMs } as const;
  if (stage === 'baking' && bakeUntil !== null) {
    // it bakes on in a pause, and is done when both are over
    const left = Math.max(0, bakeUntil.getTime() - now.getTime() - pauseMs);
    return add({ lowMs: 0, highMs: 0 }, [pause, { for: 'bake', lowMs: left, highMs: left }]);
  }
  if (stage !== 'migrating' || work === undefined) return null;
  const from = now.getTime() + pauseMs;
  const lowMs = waitForWindows(facts, from, work.lowMs);
  const highMs = waitForWindows(facts, from, work.highMs);
  if (lowMs === null || highMs === null) return null;
  return add(work, [pause, { for: 'window', lowMs, highMs }, { for: 'bake', lowMs: bakeMs, highMs: bakeMs }]);
}

const add = (work: RemainingEstimate, waits: readonly PlannedWait[]): RemainingForecast => ({
  lowMs: waits.reduce((sum, { lowMs }) => sum + lowMs, work.lowMs),
  highMs: waits.reduce((sum, { highMs }) => sum + highMs, work.highMs),
  waits: waits.filter(({ highMs }) => highMs > 0),
});

/** More openings than a year of working days has; beyond, nobody plans by it. */
const MAX_CHANGES = 600;

/** How long windows keep so much work waiting, from `at` on, in ms; null: they never let it end. */
function waitForWindows(
  { windows, zone }: Pick<RemainingFacts, 'windows' | 'zone'>,
  at: number,
  workMs: number,
): number | null {
  if (windows.length === 0) return 0;
  let now = at;
  let left = workMs;
  for (let changes = 0; changes < MAX_CHANGES; changes += 1) {
    const { open, changesAt } = isWindowOpen(windows, zone, new Date(now));
    const until = changesAt?.getTime() ?? null;
    if (open && (until === null || until - now >= left)) return now - at - (workMs - left);
    if (until === null) return null;
    if (open) left -= until - now;
    now = until;
  }
  return null;
}
