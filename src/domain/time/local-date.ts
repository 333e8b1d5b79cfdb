// Local calendar dates as `YYYY-MM-DD` text. Never uses the machine's zone.

import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { DAY_MS } from './duration.js';
import { formatLocalMs, type LocalMs, readLocalTime, toLocalMs } from './local-time.js';

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const FIRST_YEAR = 1970;
const LAST_YEAR = 2199;

/** The local date in `zone` at `instant`, `YYYY-MM-DD`. Throws invalid_zone. */
export function localDate(instant: Date, zone: string): string {
  return formatLocalMs(toLocalMs(instant, zone)).slice(0, 10);
}

/** The date after `date` in the calendar, whether or not a zone skipped it. Throws invalid_instant. */
export function nextLocalDate(date: string): string {
  return addLocalDays(date, 1);
}

/** `date` moved by whole days, which may be negative. Throws invalid_instant. */
export function addLocalDays(date: string, days: number): string {
  return formatLocalMs(parseLocalDate(date) + days * DAY_MS).slice(0, 10);
}

/** Every date of the calendar from `first` to `last`, both included. Throws invalid_instant. */
export function listLocalDates(first: string, last: string): readonly string[] {
  const [from, to] = [parseLocalDate(first), parseLocalDate(last)];
  return Array.from({ length: Math.max(0, (to - from) / DAY_MS + 1) }, (_, day) =>
    formatLocalMs(from + day * DAY_MS).slice(0, 10),
  );
}

/** Midnight of a `YYYY-MM-DD` text on a wall clock. Throws invalid_instant when the calendar has no such date. */
export function parseLocalDate(text: string): LocalMs {
  const [, year = '', month = '', day = ''] = DATE.exec(text) ?? [];
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day));
  if (year === '' || Number(year) < FIRST_YEAR || !isDay(local, Number(month), Number(day))) {
    throw new RolloutError('invalid_instant', {
      message: `${quoteValue(text)} is not a date of the calendar.`,
      next: 'Write a date such as 2025-10-06.',
    });
  }
  if (Number(year) > LAST_YEAR) {
    throw new RolloutError('invalid_instant', {
      message: `The date ${text} lies after the year ${LAST_YEAR}.`,
      next: 'Correct the year.',
    });
  }
  return local;
}

/** Whether the calendar has the date as it is written: `Date.UTC` makes 3 March of a 31 February. */
function isDay(local: LocalMs, month: number, day: number): boolean {
  const date = new Date(local);
  return date.getUTCMonth() + 1 === month && date.getUTCDate() === day;
}

/**
 * The first instant of a local date, also where midnight does not exist; null when the zone skipped the whole date
 * (Pacific/Apia, 2011-12-30). Throws invalid_instant, invalid_zone.
 */
export function startOfLocalDate(date: string, zone: string): Date | null {
  const reading = readLocalTime(parseLocalDate(date), zone);
  if (reading.kind === 'exact') return reading.instant;
  if (reading.kind === 'overlap') return reading.first;
  const { at, localAfter } = reading.change;
  return formatLocalMs(localAfter).startsWith(date) ? at : null;
}
