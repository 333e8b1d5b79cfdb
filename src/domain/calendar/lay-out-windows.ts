// When the windows of a data center open and close, as its calendar shows it. Pure.

import { listClockChanges } from '../time/clock-changes.js';
import { formatDuration } from '../time/duration.js';
import { isWindowOpen } from '../windows/windows.js';
import { type CalendarEvent, type CalendarFacts, createEvent } from './calendar-event.js';
import type { Period } from './period.js';

/** Every change within the period; none where the windows never change. Throws invalid_instant, invalid_zone. */
export function layOutWindows(dc: CalendarFacts, { from, to }: Period, now: Date): readonly CalendarEvent[] {
  const events: CalendarEvent[] = [];
  let at = isWindowOpen(dc.windows, dc.zone, new Date(from.getTime() - 1)).changesAt;
  while (at !== null && at < to) {
    const { open, reason, changesAt } = isWindowOpen(dc.windows, dc.zone, at);
    const because = reason.replace(`, ${dc.zone}`, '');
    const note = open ? `${because}${describeLength(dc.zone, at, changesAt)}` : because;
    events.push(
      createEvent(dc.zone, {
        kind: open ? 'window_opens' : 'window_closes',
        at,
        state: at <= now ? 'past' : 'to_come',
        note,
      }),
    );
    at = changesAt;
  }
  return events;
}

function describeLength(zone: string, from: Date, to: Date | null): string {
  if (to === null) return '';
  const changed = listClockChanges(zone, from, to).length > 0 ? ': the clocks change in it' : '';
  return `, for ${formatDuration(to.getTime() - from.getTime())}${changed}`;
}
