// Whole days between two local dates of one data center. Never reads a clock or a zone.
import { DateTime } from 'luxon';

/**
 * Days from one ISO date to another, negative when `to` is earlier. Throws for what is no date: a programmer's error.
 */
export function daysBetween(from: string, to: string): number {
  return (parseDay(to).toMillis() - parseDay(from).toMillis()) / 86_400_000;
}

function parseDay(date: string): DateTime {
  const day = DateTime.fromFormat(date, 'yyyy-MM-dd', { zone: 'utc' });
  if (!day.isValid) throw new Error(`not an ISO date: ${date}`);
  return day;
}
