// Whole days between two local dates. Never reads a clock or a zone: both dates are of the same data center.
import { DateTime } from 'luxon';

/** Days from one ISO date (YYYY-MM-DD) to another; negative when `to` is earlier. Throws on what is no date: a programmer's error. */
export function daysBetween(from: string, to: string): number {
  return (parseDay(to).toMillis() - parseDay(from).toMillis()) / 86_400_000;
}

function parseDay(date: string): DateTime {
  const day = DateTime.fromFormat(date, 'yyyy-MM-dd', { zone: 'utc' });
  if (!day.isValid) throw new Error(`not an ISO date: ${date}`);
  return day;
}
