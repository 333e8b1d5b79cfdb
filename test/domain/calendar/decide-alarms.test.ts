// The alarms before a cut-over: when, once, and their text.
import { describe, expect, test } from 'vitest';
import { type AlarmFacts, decideAlarms, isAlarming, listMissing } from '../../../src/domain/calendar/decide-alarms.js';
import type { DueRow } from '../../../src/domain/calendar/due-work.js';
import {
  appendUndecidable,
  asksForUndecidable,
  readStoredNote,
  type Undecidable,
} from '../../../src/domain/calendar/undecidable.js';
import { byWaiting, createHold } from '../../../src/domain/rollout/hold.js';
import { AWAY, dc } from '../rollout/sample-snapshot.js';

const CUTOVER = new Date('2025-10-29T18:30:00Z'); // 2025-10-30T00:00 in Kolkata
const hoursAhead = (hours: number, ms = 0): Date => new Date(CUTOVER.getTime() - hours * 3_600_000 + ms);

const ARMED = { effectiveAt: CUTOVER, latchedAt: null };
const LATCHED = { effectiveAt: CUTOVER, latchedAt: CUTOVER };

const facts = (change: Partial<AlarmFacts>): AlarmFacts => ({
  zone: 'Asia/Kolkata',
  cutoverAt: CUTOVER,
  setAt: new Date('2025-10-01T00:00:00Z'),
  rows: [],
  gate: { effectiveAt: null, latchedAt: null },
  missing: ['its rollout is under way (stage migrating)'],
  now: hoursAhead(48),
  ...change,
});
const brief = (change: Partial<AlarmFacts>): readonly string[] =>
  decideAlarms(facts(change)).map(
    (row) => `${row.work} ${row.localDate} ${row.kind === 'insert' ? row.state : 'miss'}`,
  );
const announced = (work: DueRow['work'], localDate: string): DueRow => ({
  work,
  localDate,
  dueAt: hoursAhead(48),
  state: 'ran',
});

describe('decideAlarms', () => {
  test.each<[string, Partial<AlarmFacts>, readonly string[]]>([
    ['is none without a cut-over', { cutoverAt: null }, []],
    ['is none before its time', { now: hoursAhead(48, -1) }, []],
    ['is due 48 hours ahead', {}, ['alarm_48h 2025-10-28 ran']],
    ['records that it came late', { now: hoursAhead(46) }, ['alarm_48h 2025-10-28 caught_up']],
    ['comes once', { rows: [announced('alarm_48h', '2025-10-28')] }, []],
    [
      'comes again 2 hours ahead',
      { rows: [announced('alarm_48h', '2025-10-28')], now: hoursAhead(2) },
      ['alarm_2h 2025-10-29 ran'],
    ],
    [
      'records the first one as missed once the second is due',
      { now: hoursAhead(2) },
      ['alarm_48h 2025-10-28 missed', 'alarm_2h 2025-10-29 ran'],
    ],
    [
      'records both as missed after the instant',
      { now: hoursAhead(0) },
      ['alarm_48h 2025-10-28 missed', 'alarm_2h 2025-10-29 missed'],
    ],
    [
      'comes again for an instant that was moved',
      { rows: [announced('alarm_48h', '2025-10-20')] },
      ['alarm_48h 2025-10-28 ran'],
    ],
    ['has none whose time was over when the instant was set', { setAt: hoursAhead(10), now: hoursAhead(9) }, []],
    ['has none of an instant that had passed when it was set', { setAt: hoursAhead(-10), now: hoursAhead(-11) }, []],
    ['is due 48 hours ahead of an armed gate too', { gate: ARMED }, ['alarm_48h 2025-10-28 ran']],
    [
      'does not come again 2 hours ahead of an armed gate, and is late until its instant',
      { gate: ARMED, now: hoursAhead(2) },
      ['alarm_48h 2025-10-28 caught_up'],
    ],
    [
      'records it as missed when an armed gate is due',
      { gate: ARMED, now: hoursAhead(0) },
      ['alarm_48h 2025-10-28 missed'],
    ],
    ['has none of what has happened', { gate: LATCHED, now: hoursAhead(-1) }, []],
  ])('%s', (_promise, change, expected) => {
    expect(brief(change)).toEqual(expected);
  });

  test('lists what is missing, or that nothing is', () => {
    const [alarm] = decideAlarms(facts({ missing: ['it bakes until then', 'it is frozen'] }));
    expect(alarm?.note).toBe('it will not be ready: it bakes until then; it is frozen');
    expect(alarm && isAlarming(alarm)).toBe(true);
    const [calm] = decideAlarms(facts({ missing: [] }));
    expect(calm?.note).toBe('it will be ready');
    expect(calm && isAlarming(calm)).toBe(false);
    const [armed] = decideAlarms(facts({ gate: ARMED, missing: ['it is frozen'] }));
    expect(armed?.note).toBe('it will be ready');
  });
});

describe('appendUndecidable', () => {
  const note = (undecidable: Undecidable, missing: readonly string[] = []) => {
    const [row] = decideAlarms(facts({ gate: { effectiveAt: null, latchedAt: null }, missing }));
    if (row === undefined || !asksForUndecidable(row)) throw new Error('it asks');
    const noted = appendUndecidable(row, 'in', undecidable);
    return { note: noted.note, alarming: isAlarming(noted) };
  };

  test.each<[Undecidable, string]>([
    [{ kind: 'counted', orgs: 0 }, 'no org is undecidable'],
    [{ kind: 'counted', orgs: 3 }, "undecidable orgs that keep today's number: 3 (credit-rollout quarantine --dc in)"],
    [{ kind: 'no_run' }, 'no run has checked for undecidable orgs yet'],
    [
      { kind: 'unreadable', code: 'unreachable' },
      'undecidable orgs were not counted, its cell cannot be read (unreachable): credit-rollout quarantine --dc in',
    ],
  ])('appends it to the text without raising an alarm: %o', (undecidable, text) => {
    expect(note(undecidable)).toEqual({ note: `it will be ready; ${text}`, alarming: false });
    expect(note(undecidable, ['x'])).toEqual({ note: `it will not be ready: x; ${text}`, alarming: true });
  });

  test('is read back with its command as data', () => {
    const stored = note({ kind: 'counted', orgs: 3 }).note ?? '';
    expect(readStoredNote(stored, 'in')).toEqual([
      "it will be ready; undecidable orgs that keep today's number: 3 (",
      { command: 'quarantine --dc in' },
      ')',
    ]);
    expect(readStoredNote('it was frozen', 'in')).toBe('it was frozen');
  });

  test('is asked for by the first alarm alone, and not when it was missed', () => {
    const asking = decideAlarms(facts({ now: hoursAhead(2) })).filter(asksForUndecidable);
    expect(asking).toEqual([]);
  });
});

describe('listMissing', () => {
  test.each([
    ['is done', dc({ stage: 'done' }), []],
    ['is to be rolled out again', dc({ stage: 'done', requested: true }), ['another rollout of it was asked for']],
    ['bakes until before', dc({ stage: 'baking', cutoverAt: CUTOVER, bakeUntil: hoursAhead(1) }), []],
    [
      'bakes for too long',
      dc({ stage: 'baking', cutoverAt: CUTOVER, bakeUntil: hoursAhead(-1) }),
      ['it bakes until 2025-10-29T19:30:00.000Z'],
    ],
    ['is under way', dc({ stage: 'migrating' }), ['its rollout is under way (stage migrating)']],
    ['is done, and cannot be reached', dc({ stage: 'done', cell: AWAY }), ['its database cannot be reached']],
    ['waits', dc({ stage: 'pending', requested: true }), ['its rollout has not begun']],
    ['was not asked for', dc({ stage: 'aborted' }), ['its rollout was not asked for (stage aborted)']],
  ])('of one that %s', (_case, snapshot, expected) => {
    expect(listMissing(snapshot, [])).toEqual(expected);
  });

  test('names what needs a person, and not what passes by itself', () => {
    const holds = [
      createHold('frozen', byWaiting('x')),
      createHold('window_closed', byWaiting('x')),
      createHold('frozen', byWaiting('x')),
    ];
    expect(listMissing(dc({ stage: 'done' }), holds)).toEqual(['it is frozen']);
  });
});
