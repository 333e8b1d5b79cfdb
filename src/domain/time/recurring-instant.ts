// The one instant at which something that recurs daily happens on a given local date.
import { parseClockTime } from './clock-time.js';
import { parseLocalDate, startOfLocalDate } from './local-date.js';
import { settleLocalTime } from './local-time.js';

/**
 * The instant of `time` (`HH:MM`) on `date` (`YYYY-MM-DD`) in `zone`: in a gap the first instant after it, in an overlap
 * the first. Null when the zone skipped the whole date. Throws invalid_instant, invalid_zone.
 */
export function recurringInstant(date: string, time: string, zone: string): Date | null {
  if (startOfLocalDate(date, zone) === null) return null;
  return settleLocalTime(parseLocalDate(date) + parseClockTime(time), zone);
}
