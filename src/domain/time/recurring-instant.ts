// The instant at which something that recurs daily happens on a local date.
import { parseClockTime } from './clock-time.js';
import { parseLocalDate, startOfLocalDate } from './local-date.js';
import { resolveRecurringTime } from './local-time.js';

/**
 * The instant of `time` (`HH:MM`) on `date` (`YYYY-MM-DD`) in `zone`: in a gap the first instant after it, in an
 * overlap the first. Null when the zone skipped the whole date. Throws invalid_instant, invalid_zone.
 */
export function recurringInstant(date: string, time: string, zone: string): Date | null {
  if (startOfLocalDate(date, zone) === null) return null;
  return resolveRecurringTime(parseLocalDate(date) + parseClockTime(time), zone);
}
