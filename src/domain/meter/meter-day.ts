// What a day of the meter is: from one reset to the next, in the data center's time zone. It may have 23 to 25 hours,
// and its midnight may not exist. Knows no clock.
import { addLocalDays, localDate, startOfLocalDate } from '../time/local-date.js';

/** One day, as two instants in ms since 1970. */
export interface MeterDay {
  /** Local date, `YYYY-MM-DD`. */
  readonly day: string;
  readonly startMs: number;
  /** The reset: the first instant of the next day. */
  readonly endMs: number;
}

/**
 * The day at an instant: the last one that has begun. Where a clock goes back over midnight, a local date would come
 * back after its end; the day does not. Throws invalid_zone.
 */
export function findMeterDay(atMs: number, zone: string): MeterDay {
  const date = localDate(new Date(atMs), zone);
  for (let day = addLocalDays(date, 1); ; day = addLocalDays(day, -1)) {
    const startMs = startOfLocalDate(day, zone)?.getTime();
    if (startMs !== undefined && startMs <= atMs) return { day, startMs, endMs: findStartAfter(day, zone) };
  }
}

/** The day after a day: a date that the zone skipped is none. Throws invalid_zone. */
export function nextMeterDay({ endMs }: MeterDay, zone: string): MeterDay {
  return findMeterDay(endMs, zone);
}

function findStartAfter(day: string, zone: string): number {
  for (let next = addLocalDays(day, 1); ; next = addLocalDays(next, 1)) {
    const start = startOfLocalDate(next, zone);
    if (start !== null) return start.getTime();
  }
}
