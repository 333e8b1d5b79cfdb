// When the clocks of a zone change, for people to read. Never decides anything by it.
import { addLocalDays } from './local-date.js';
import { formatLocalMs, type LocalMs, type OffsetChange, toLocalMs } from './local-time.js';

const DAY_MS = 86_400_000;
const SECOND_MS = 1_000;

/** The changes after `from`, until `to` inclusive, oldest first. Throws invalid_zone. */
export function listClockChanges(zone: string, from: Date, to: Date): readonly OffsetChange[] {
  const days = Math.max(0, Math.ceil((to.getTime() - from.getTime()) / DAY_MS));
  return Array.from({ length: days }, (_, day) => {
    const start = from.getTime() + day * DAY_MS;
    return findChange(zone, start, Math.min(start + DAY_MS, to.getTime()));
  }).filter((change) => change !== undefined);
}

/** `clocks go from 02:00 to 03:00`, with the dates where a whole one is skipped or comes twice. */
export function describeClockChange({ localBefore, localAfter }: OffsetChange): string {
  const [before, after] = [formatLocalMs(localBefore), formatLocalMs(localAfter)];
  const isShort = Math.abs(localAfter - localBefore) < DAY_MS / 2;
  const skipped = listSkippedDates(localBefore, localAfter).map((date) => `; the date ${date} does not exist`);
  const show = (local: string): string => (isShort ? local.slice(11, 16) : local.slice(0, 16).replace('T', ' '));
  return `the clocks go from ${show(before)} to ${show(after)}${skipped.join('')}`;
}

/** Local dates of which no instant exists. */
function listSkippedDates(localBefore: LocalMs, localAfter: LocalMs): readonly string[] {
  const last = formatLocalMs(localAfter).slice(0, 10);
  const isMidnight = localBefore % DAY_MS === 0;
  const first = formatLocalMs(localBefore).slice(0, 10);
  const dates: string[] = [];
  for (let date = isMidnight ? first : addLocalDays(first, 1); date < last; date = addLocalDays(date, 1))
    dates.push(date);
  return dates;
}

const offsetOf = (zone: string, at: number): number => toLocalMs(new Date(at), zone) - at;

/** The change within a day: zones never change twice in one. */
function findChange(zone: string, start: number, end: number): OffsetChange | undefined {
  const [before, after] = [offsetOf(zone, start), offsetOf(zone, end)];
  if (before === after) return undefined;
  let low = start;
  let high = end;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetOf(zone, middle) === before) low = middle;
    else high = middle;
  }
  // the bisection ends on the millisecond; zones change on whole seconds
  const at = Math.round(high / SECOND_MS) * SECOND_MS;
  return { at: new Date(at), localBefore: at + before, localAfter: at + after };
}
