// Whether windows ever let work run, and when first. Pure.
import { DAY_MS } from '../time/duration.js';
import { addLocalDays, parseLocalDate, startOfLocalDate } from '../time/local-date.js';
import { decideWindows, isWindowOpen, type WindowSpec } from './windows.js';

/** Any instant will do: windows without dates recur within a year. */
const ANY_INSTANT = new Date('2024-01-01T00:00:00Z');

/**
 * The first instant from `from` on at which `windows` let work run in `zone`; null: never again. Checks the next year,
 * and every date of a window. Throws invalid_instant, invalid_zone.
 */
export function findFirstOpening(windows: readonly WindowSpec[], zone: string, from: Date): Date | null {
  const starts = [from, ...listNamedStarts(windows, zone).filter((start) => start > from)];
  for (const start of starts) {
    if (decideWindows(windows, zone, start).open) return start;
    const { changesAt } = isWindowOpen(windows, zone, start);
    if (changesAt !== null) return changesAt;
  }
  return null;
}

/**
 * Whether there is any instant, past or future, at which `windows` let work run. Throws invalid_instant, invalid_zone.
 */
export function canEverOpen(windows: readonly WindowSpec[], zone: string): boolean {
  const starts = listNamedStarts(windows, zone);
  const earliest = starts[0] !== undefined && starts[0] < ANY_INSTANT ? starts[0] : ANY_INSTANT;
  return findFirstOpening(windows, zone, earliest) !== null;
}

/** A day before every date of an allow window, so that its opening is later; oldest first. */
function listNamedStarts(windows: readonly WindowSpec[], zone: string): readonly Date[] {
  const dates = new Set(windows.flatMap((window) => (window.deny ? [] : (window.dates ?? []))));
  return [...dates].sort().map((date) => {
    const start = startOfLocalDate(addLocalDays(date, -1), zone);
    return start ?? new Date(parseLocalDate(date) - 2 * DAY_MS);
  });
}

/** Why windows never let work run. */
export function describeNeverOpen(windows: readonly WindowSpec[]): string {
  const allowed = windows.filter((window) => !window.deny);
  if (allowed.length === 0) return 'the deny windows leave no time';
  const denied = allowed.length < windows.length ? 'deny windows cover them, or ' : '';
  return allowed.every((window) => window.dates !== undefined)
    ? `${denied}their dates are over, or do not exist`
    : 'the deny windows cover all the others';
}
