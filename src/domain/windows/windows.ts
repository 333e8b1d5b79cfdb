// Decides whether work may run at an instant under allow and deny windows, and when that changes.
// Pure. Recurring times follow the rule of recurring-instant.ts.

import { parseClockTime } from '../time/clock-time.js';
import { DAY_MS } from '../time/duration.js';
import { addLocalDays, localDate, parseLocalDate } from '../time/local-date.js';
import { createDayClock } from '../time/local-time.js';

/** Days of the week, Monday first. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

const HORIZON_DAYS = 370;
/** A window lasts at most a day, and a change of the clocks can extend it past the next midnight. */
const MAX_WINDOW_DAYS = 2;

/** A daily window as the configuration writes it. `to` at or before `from` means the next day; equal means 24 hours. */
export interface WindowSpec {
  /** Local `HH:MM`, included. */
  readonly from: string;
  /** Local `HH:MM`, excluded. */
  readonly to: string;
  /** Weekdays of the local date on which it opens. Without days and dates: every date. */
  readonly days?: readonly Weekday[];
  /** Local dates (`YYYY-MM-DD`) on which it opens. */
  readonly dates?: readonly string[];
  /** A deny window forbids work, whatever other windows allow. */
  readonly deny?: true;
}

/** Whether work may run, and why. */
export interface WindowDecision {
  readonly open: boolean;
  readonly reason: string;
}

/** A decision with the next instant at which `open` changes; null: not within 370 days. */
export interface WindowAnswer extends WindowDecision {
  readonly changesAt: Date | null;
}

/**
 * As decideWindows, and when that changes. Takes up to 100 ms when nothing changes for a year. `open: false` with
 * `changesAt: null` means that they never open. Throws invalid_instant, invalid_zone.
 */
export function isWindowOpen(windows: readonly WindowSpec[], zone: string, instant: Date): WindowAnswer {
  const { open, reason } = decideWindows(windows, zone, instant);
  return { open, reason, changesAt: findChange(windows, zone, instant, open) };
}

/**
 * Whether `windows` let work run at `instant` in `zone`. Any active deny window wins; without allow windows everything
 * else is allowed. Throws invalid_instant, invalid_zone.
 */
export function decideWindows(windows: readonly WindowSpec[], zone: string, instant: Date): WindowDecision {
  const today = localDate(instant, zone);
  const active = windows.length === 0 ? [] : activeWindows(readDaysUntil(windows, today, zone), instant);
  const { open, reason } = decideOpen(windows, active);
  return { open, reason: `${reason}, ${zone}` };
}

interface Opening {
  readonly window: WindowSpec;
  readonly from: Date;
  readonly to: Date;
}

/** A local date, with the windows that open on it; `start` equals `end` for a date that the zone skipped. */
interface LocalDay {
  readonly start: Date;
  readonly end: Date;
  readonly openings: readonly Opening[];
}

function readDay(windows: readonly WindowSpec[], date: string, zone: string): LocalDay {
  const at = createDayClock(parseLocalDate(date), zone);
  const start = at(0);
  const end = at(DAY_MS);
  const opening = start < end ? windows.filter((window) => isOpeningDate(window, date)) : [];
  const openings = opening.map((window) => {
    const from = parseClockTime(window.from);
    const to = parseClockTime(window.to);
    return { window, from: at(from), to: at(to <= from ? to + DAY_MS : to) };
  });
  return { start, end, openings };
}

function activeWindows(days: readonly LocalDay[], instant: Date): readonly WindowSpec[] {
  return days
    .flatMap((day) => day.openings)
    .filter(({ from, to }) => from <= instant && instant < to)
    .map(({ window }) => window);
}

function decideOpen(windows: readonly WindowSpec[], active: readonly WindowSpec[]): WindowDecision {
  const denying = active.find((window) => window.deny);
  if (denying) return { open: false, reason: `inside the deny window ${describeWindow(denying)}` };
  const allowed = windows.filter((window) => !window.deny);
  if (allowed.length === 0) return { open: true, reason: 'no window limits when work may run' };
  const [allowing] = active;
  if (allowing) return { open: true, reason: `inside the window ${describeWindow(allowing)}` };
  return { open: false, reason: `outside the windows ${allowed.map(describeWindow).join('; ')}` };
}

/** Checks the edges of all windows day by day, in order, until the answer differs. */
function findChange(windows: readonly WindowSpec[], zone: string, instant: Date, open: boolean): Date | null {
  if (windows.length === 0) return null;
  const today = localDate(instant, zone);
  let days = readDaysUntil(windows, today, zone);
  for (let ahead = 1; ahead <= HORIZON_DAYS + 1; ahead += 1) {
    const reach = days;
    const change = edgesOfLast(reach).find(
      (edge) => edge > instant && decideOpen(windows, activeWindows(reach, edge)).open !== open,
    );
    if (change) return change;
    days = [...reach.slice(1), readDay(windows, addLocalDays(today, ahead), zone)];
  }
  return null;
}

/** `date` and the days before it whose windows may end in it. */
function readDaysUntil(windows: readonly WindowSpec[], date: string, zone: string): readonly LocalDay[] {
  return Array.from({ length: MAX_WINDOW_DAYS + 1 }, (_, index) =>
    readDay(windows, addLocalDays(date, index - MAX_WINDOW_DAYS), zone),
  );
}

/** Every opening and closing within the last of `days`, in order. */
function edgesOfLast(days: readonly LocalDay[]): readonly Date[] {
  const last = days.at(-1);
  if (last === undefined) return [];
  return days
    .flatMap((day) => day.openings)
    .flatMap(({ from, to }) => [from, to])
    .filter((edge) => last.start <= edge && edge < last.end)
    .sort((a, b) => a.getTime() - b.getTime());
}

function isOpeningDate(window: WindowSpec, date: string): boolean {
  if (window.days === undefined && window.dates === undefined) return true;
  return window.dates?.includes(date) === true || window.days?.includes(weekdayOf(date)) === true;
}

function weekdayOf(date: string): Weekday {
  const sundayFirst = new Date(parseLocalDate(date)).getUTCDay();
  return WEEKDAYS[(sundayFirst + 6) % 7] ?? 'mon';
}

function describeWindow(window: WindowSpec): string {
  const dates = [...(window.days ?? []), ...(window.dates ?? [])];
  const on = dates.length === 0 ? '' : ` on ${dates.slice(0, 7).join(', ')}${dates.length > 7 ? ', …' : ''}`;
  return `${window.from}–${window.to}${on}`;
}
