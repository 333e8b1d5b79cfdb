// `calendar` for people: nights that differ in nothing but their day are one line, what differs has its own.
import { expect, test } from 'vitest';
import { plainPaint } from '../../../src/cli/terminal/paint.js';
import { showCalendar } from '../../../src/cli/views/show-calendar.js';
import { createEvent } from '../../../src/domain/calendar/calendar-event.js';
import { sampleCommands } from './sample-status.js';

const nightOf = (day: number, hour = 2) => {
  const at = new Date(Date.UTC(2026, 10, day, hour));
  return createEvent('UTC', { kind: 'night', at, state: 'to_come' });
};

const show = (events: readonly ReturnType<typeof nightOf>[]): readonly string[] =>
  showCalendar(
    {
      at: new Date('2026-11-01T00:00:00Z'),
      pinned: true,
      pages: [
        {
          ...{ id: 'in', zone: 'UTC', stage: 'done', after: [], blockedBy: [], oneOffs: [] },
          period: { from: new Date('2026-11-01T00:00:00Z'), to: new Date('2026-11-15T00:00:00Z') },
          events,
        },
      ],
    },
    { commands: sampleCommands, paint: plainPaint, width: () => 100 },
  )
    .split('\n')
    .filter((line) => line.includes('nightly run'));

test('folds equal nights into one line, and leaves one that is at another time its own', () => {
  const fortnight = Array.from({ length: 14 }, (_, n) => nightOf(n + 1));
  expect(show(fortnight)).toEqual([expect.stringContaining('nightly run, every day until 2026-11-14')]);
  expect(show(fortnight.with(4, nightOf(5, 3)))).toEqual([
    expect.stringContaining('nightly run, 13 times until 2026-11-14'),
    expect.stringMatching(/2026-11-05 03:00 .*nightly run$/u),
  ]);
  expect(show(fortnight.slice(0, 2))).toHaveLength(2);
});
