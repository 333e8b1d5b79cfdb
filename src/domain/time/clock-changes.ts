// When the clocks of a zone change, for people. Nothing is decided by it.
import { DAY_MS } from './duration.js';
import { addLocalDays } from './local-date.js';
import { findChange, formatLocalMs, type LocalMs, type OffsetChange, offsetMs } from './local-time.js';

/** The changes after `from` up to and including `to`, oldest first. Throws invalid_zone. */
export function listClockChanges(zone: string, from: Date, to: Date): readonly OffsetChange[] {
  const days = Math.max(0, Math.ceil((to.getTime() - from.getTime()) / DAY_MS));
  return Array.from({ length: days }, (_, day) => {
    const start = from.getTime() + day * DAY_MS;
    return findChangeWithin(zone, start, Math.min(start + DAY_MS, to.getTime()));
  }).filter((change) => change !== undefined);
}

/** Within one day: no zone changes twice in a day. */
function findChangeWithin(zone: string, from: number, to: number): OffsetChange | undefined {
  const [before, after] = [offsetMs(from, zone), offsetMs(to, zone)];
  return before === after ? undefined : findChange(zone, { from, to, before, after });
}

/** `clocks go from 02:00 to 03:00`, with dates where a whole date is skipped or occurs twice. */
export function describeClockChange({ localBefore, localAfter }: OffsetChange): string {
  const [before, after] = [formatLocalMs(localBefore), formatLocalMs(localAfter)];
  const isShort = Math.abs(localAfter - localBefore) < DAY_MS / 2;
  const skipped = listSkippedDates(localBefore, localAfter).map((date) => `; the date ${date} does not exist`);
  const show = (local: string): string => (isShort ? local.slice(11, 16) : local.slice(0, 16).replace('T', ' '));
  return `the clocks go from ${show(before)} to ${show(after)}${skipped.join('')}`;
}

/** Local dates that do not exist. */
function listSkippedDates(localBefore: LocalMs, localAfter: LocalMs): readonly string[] {
  const last = formatLocalMs(localAfter).slice(0, 10);
  const isMidnight = localBefore % DAY_MS === 0;
  const first = formatLocalMs(localBefore).slice(0, 10);
  const dates: string[] = [];
  for (let date = isMidnight ? first : addLocalDays(first, 1); date < last; date = addLocalDays(date, 1))
    dates.push(date);
  return dates;
}
