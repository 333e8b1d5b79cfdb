// What the calendar shows of a rollout: what comes when, what is due now, what waits for what, and what the clocks do.

import { describe, expect, test } from 'vitest';
import type { CalendarFacts } from '../../../src/domain/calendar/calendar-event.js';
import { type CalendarPage, layOutCalendar } from '../../../src/domain/calendar/lay-out-calendar.js';
import type { Period } from '../../../src/domain/calendar/period.js';
import { byWaiting, createHold } from '../../../src/domain/rollout/hold.js';
import { advise, command, formatAdvice } from '../../../src/kernel/advice.js';
import { UNARMED } from '../rollout/sample-snapshot.js';

const NOW = new Date('2025-10-06T12:00:00Z');
const HOUR_MS = 3_600_000;

const facts = (change: Partial<CalendarFacts> = {}): CalendarFacts => ({
  ...{
    id: 'eu',
    position: 0,
    zone: 'Europe/Berlin',
    stage: 'pending',
    intent: 'run',
    requested: true,
    pausedUntil: null,
  },
  ...{ notBefore: null, cutover: null, windows: [], bakeMs: 0, bakeUntil: null, nightAt: '00:15', doneAt: null },
  ...{ gate: UNARMED, holds: [], rows: [] },
  ...change,
});
const oneOff = (at: string): { at: Date; local: string } => ({ at: new Date(at), local: at });

function layOut(all: readonly CalendarFacts[], period: Partial<Period> = {}): readonly CalendarPage[] {
  return layOutCalendar(all, NOW, () => ({ from: NOW, to: new Date(NOW.getTime() + 48 * HOUR_MS), ...period }));
}
const brief = (page: CalendarPage | undefined, part: 'events' | 'oneOffs' = 'events'): readonly string[] =>
  (page?.[part] ?? []).map(
    ({ kind, at, state, earliest }) =>
      `${kind} ${at.toISOString().slice(0, 16)} ${state}${earliest ? ' at the earliest' : ''}`,
  );

describe('layOutCalendar', () => {
  test('lays the data centers out in rollout order, each after the one before', () => {
    const bake = { bakeMs: 6 * HOUR_MS } as const;
    const pages = layOut([
      facts({ id: 'us', position: 1, ...bake }),
      facts({ id: 'in', zone: 'Asia/Kolkata', ...bake, notBefore: oneOff('2025-10-06T18:30:00Z') }),
    ]);
    expect(pages.map(({ id, after }) => [id, after])).toEqual([
      ['in', []],
      ['us', ['in']],
    ]);
    expect(brief(pages[0], 'oneOffs')).toEqual([
      'not_before 2025-10-06T18:30 to_come',
      'start 2025-10-06T18:30 to_come at the earliest',
      'bake_ends 2025-10-07T00:30 to_come at the earliest',
    ]);
    expect(brief(pages[1], 'oneOffs')).toEqual([
      'start 2025-10-07T00:30 to_come at the earliest',
      'bake_ends 2025-10-07T06:30 to_come at the earliest',
    ]);
  });

  test('shows when a pause ends, in the zone of its data center', () => {
    const [page] = layOut([facts({ intent: 'pause', pausedUntil: new Date('2025-10-06T14:00:00Z') })]);
    expect(brief(page, 'oneOffs')).toContain('pause_ends 2025-10-06T14:00 to_come');
    expect(page?.events.find(({ kind }) => kind === 'pause_ends')?.local).toBe('2025-10-06T16:00:00');
    // what waits begins then, and one after it later; a pause without an end tells nothing
    expect(brief(page, 'oneOffs')).toContain('start 2025-10-06T14:00 to_come at the earliest');
    const [open, next] = layOut([
      facts({ intent: 'pause', stage: 'migrating' }),
      facts({ id: 'us', position: 1, bakeMs: HOUR_MS }),
    ]);
    expect([...brief(open, 'oneOffs'), ...brief(next, 'oneOffs')]).toEqual([]);
    const [late] = layOut([facts({ intent: 'pause', pausedUntil: NOW })]);
    expect(brief(late, 'oneOffs')).toContain('pause_ends 2025-10-06T12:00 due_now');
  });

  test('shows that dates that have passed are due now', () => {
    const [page] = layOut([
      facts({ notBefore: oneOff('2025-10-01T00:00:00Z'), cutover: oneOff('2025-10-05T00:00:00Z') }),
    ]);
    expect(brief(page, 'oneOffs')).toEqual([
      'not_before 2025-10-01T00:00 due_now',
      'cutover 2025-10-05T00:00 due_now at the earliest',
      'start 2025-10-06T12:00 due_now at the earliest',
    ]);
    expect(page?.oneOffs.map(({ note }) => note)).toEqual([
      'it has passed',
      'it has passed; not before it is done, at the earliest 2025-10-06T12:00:00.000Z',
      null,
    ]);
  });

  test('waits for a window, and shows each with what the clocks do in it', () => {
    const windows = [{ from: '22:00', to: '05:00' }] as const;
    const from = new Date('2025-10-25T12:00:00Z');
    const to = new Date('2025-10-26T12:00:00Z');
    const [page] = layOut([facts({ windows, doneAt: NOW, stage: 'done', requested: false })], { from, to });
    expect(page?.events.map(({ kind, local, offset, note }) => [kind, `${local.slice(5, 16)}${offset}`, note])).toEqual(
      [
        ['window_opens', '10-25T22:00+02:00', 'inside the window 22:00–05:00, for 8 h: the clocks change in it'],
        ['night', '10-26T00:15+02:00', null],
        ['clock_change', '10-26T02:00+01:00', 'the clocks go from 03:00 to 02:00'],
        ['window_closes', '10-26T05:00+01:00', 'outside the windows 22:00–05:00'],
      ],
    );
    const [waiting] = layOut([facts({ windows })]);
    expect(brief(waiting, 'oneOffs')).toEqual(['start 2025-10-06T20:00 to_come at the earliest']);
  });

  test('shows nights as they came about, what is due now, and those to come once it is done', () => {
    const dueAt = new Date('2025-10-04T22:15:00Z');
    const rows = [{ work: 'reconcile', localDate: '2025-10-05', dueAt, state: 'missed', note: 'frozen' }] as const;
    const doneAt = new Date('2025-10-04T00:00:00Z');
    const period = { from: doneAt, to: new Date('2025-10-07T00:00:00Z') };
    const [page] = layOut([facts({ stage: 'done', requested: false, doneAt, rows })], period);
    expect(brief(page)).toEqual([
      'night 2025-10-04T22:15 missed',
      'night 2025-10-05T22:15 due_now',
      'night 2025-10-06T22:15 to_come',
    ]);
    const [pending] = layOut([facts()]);
    expect(brief(pending)).toContain('night 2025-10-06T22:15 to_come at the earliest');
    const [never] = layOut([facts({ notBefore: oneOff('2025-11-01T00:00:00Z') })]);
    expect(brief(never)).toEqual([]);
  });

  test('shows what a clock change does to a night', () => {
    const at = { doneAt: NOW, stage: 'done', requested: false, nightAt: '02:30' } as const;
    const note = (date: string): readonly (string | null)[] => {
      const from = new Date(`${date}T00:00:00Z`);
      const [page] = layOut([facts(at)], { from, to: new Date(from.getTime() + 20 * HOUR_MS) });
      return (page?.events ?? [])
        .filter(({ kind }) => kind === 'night')
        .map((event) => event.note && formatAdvice(event.note));
    };
    expect(note('2025-10-26')).toEqual(['02:30 comes twice on this date: the first one']);
    expect(note('2026-03-29')).toEqual(['02:30 does not exist on this date: the first instant after it']);
    expect(note('2025-10-28')).toEqual([null]);
  });

  test('shows the alarms and the cut-over, and when it has happened', () => {
    const cutover = oneOff('2025-10-09T00:00:00Z');
    const [page] = layOut([facts({ cutover, stage: 'done', requested: false, doneAt: NOW })]);
    expect(brief(page, 'oneOffs')).toEqual([
      'alarm_48h 2025-10-07T00:00 to_come',
      'alarm_2h 2025-10-08T22:00 to_come',
      'cutover 2025-10-09T00:00 to_come at the earliest',
    ]);
    const armed = { configuredAt: cutover.at, effectiveAt: cutover.at, latchedAt: null, sweptAt: null };
    const [ready] = layOut([facts({ cutover, gate: armed, stage: 'done', requested: false, doneAt: NOW })]);
    expect(brief(ready, 'oneOffs')).toEqual(['alarm_48h 2025-10-07T00:00 to_come', 'cutover 2025-10-09T00:00 to_come']);
    const effectiveAt = new Date('2025-10-06T00:00:00Z');
    const gate = { configuredAt: effectiveAt, effectiveAt, latchedAt: effectiveAt, sweptAt: null };
    const [over] = layOut([facts({ cutover, gate, stage: 'done', requested: false, doneAt: effectiveAt })]);
    expect(over?.oneOffs).toMatchObject([
      {
        kind: 'cutover',
        at: effectiveAt,
        state: 'past',
        note: expect.stringContaining('its sweep, the check of every earlier org, has not ended'),
      },
    ]);
  });

  test('shows what blocks it: holds, windows that never open, and one that failed before it', () => {
    const never = [{ from: '00:00', to: '00:00', deny: true }] as const;
    const [first, second] = layOut([
      facts({ stage: 'failed', requested: false, windows: never }),
      facts({ id: 'us', position: 1, holds: [createHold('predecessor_failed', byWaiting('x'), 'eu')] }),
    ]);
    expect(first?.blockedBy).toEqual(['its windows never open: the deny windows leave no time']);
    expect(second).toMatchObject({ after: ['eu'], blockedBy: ['an earlier data center failed (eu)'], oneOffs: [] });
  });

  test('names no instant of a hold: the hold is shown in its place', () => {
    const holds = [
      createHold('frozen', byWaiting('x'), '2025-10-06T01:00:00.000Z'),
      createHold('cell_trouble', byWaiting('x'), '42501'),
    ];
    const [page] = layOut([facts({ holds })]);
    expect(page?.blockedBy).toEqual(['it is frozen', 'its workers fail with the same error again and again (42501)']);
  });

  test('lays one out that was not requested as if it were, and marks it', () => {
    const [page] = layOut([facts({ requested: false })]);
    expect(page?.oneOffs).toMatchObject([
      { kind: 'start', earliest: true, note: advise`once it is requested: ${command('apply --dc eu --execute')}` },
    ]);
  });
});
