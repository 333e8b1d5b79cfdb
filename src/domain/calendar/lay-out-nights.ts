// The nights of a data center as its calendar shows them: those that have a row, and those to come. Pure.

import { parseClockTime } from '../time/clock-time.js';
import { addLocalDays, localDate, nextLocalDate, parseLocalDate } from '../time/local-date.js';
import { readLocalTime } from '../time/local-time.js';
import { type CalendarEvent, type CalendarFacts, createEvent } from './calendar-event.js';
import { findNight } from './decide-nights.js';
import type { Period } from './period.js';

/** `doneAt`: when it is done at the earliest; null: it has no nights to come. Throws invalid_instant, invalid_zone. */
export function layOutNights(
  dc: CalendarFacts,
  { from, to }: Period,
  { doneAt, now }: { readonly doneAt: Date | null; readonly now: Date },
): readonly CalendarEvent[] {
  const events: CalendarEvent[] = [];
  const last = localDate(to, dc.zone);
  // a time of day in a gap at midnight settles on the next local date
  for (let date = addLocalDays(localDate(from, dc.zone), -1); date <= last; date = nextLocalDate(date)) {
    const event = layOutNight(dc, date, { doneAt, now });
    if (event !== undefined && event.at >= from && event.at < to) events.push(event);
  }
  return events;
}

function layOutNight(
  dc: CalendarFacts,
  date: string,
  { doneAt, now }: { readonly doneAt: Date | null; readonly now: Date },
): CalendarEvent | undefined {
  const note = describeClocks(dc, date);
  const row = dc.rows.find(({ work, localDate }) => work === 'reconcile' && localDate === date);
  if (row !== undefined) {
    const notes = [row.note, note].filter((part) => part !== null);
    return createEvent(dc.zone, { kind: 'night', at: row.dueAt, state: row.state, note: notes.join('; ') || null });
  }
  const night = findNight(date, { zone: dc.zone, at: dc.nightAt });
  const begin = dc.doneAt ?? doneAt;
  if (night === null || begin === null || night.dueAt < begin) return undefined;
  const state = night.dueAt <= now ? 'due_now' : 'to_come';
  return createEvent(dc.zone, { kind: 'night', at: night.dueAt, state, earliest: dc.doneAt === null, note });
}

/** How a clock change affects the night of a date; null: not at all. */
function describeClocks({ zone, nightAt }: CalendarFacts, date: string): string | null {
  const { kind } = readLocalTime(parseLocalDate(date) + parseClockTime(nightAt), zone);
  if (kind === 'gap') return `${nightAt} does not exist on this date: the first instant after it`;
  return kind === 'overlap' ? `${nightAt} comes twice on this date: the first one` : null;
}
