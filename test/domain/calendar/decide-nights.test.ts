// Which nightly rows there are to be: one per local date, whatever the clocks and the schedulers did.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideNights, type NightFacts } from '../../../src/domain/calendar/decide-nights.js';
import { type DueChange, type DueRow, decideEnd } from '../../../src/domain/calendar/due-work.js';
import { listLocalNights } from '../../simulation/local-nights.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const facts = (change: Partial<NightFacts>): NightFacts => ({
  zone: 'UTC',
  at: '00:15',
  since: new Date('2025-10-06T12:00:00Z'),
  rows: [],
  heldBy: null,
  now: new Date('2025-10-07T12:00:00Z'),
  ...change,
});
const row = (localDate: string, state: DueRow['state']): DueRow => ({
  work: 'reconcile',
  localDate,
  dueAt: new Date(`${localDate}T00:15:00Z`),
  state,
});
const brief = (changes: readonly DueChange[]): readonly string[] =>
  changes.map((change) => `${change.kind === 'miss' ? 'miss' : change.state} ${change.localDate}`);

describe('decideNights', () => {
  test.each<[string, Partial<NightFacts>, readonly string[]]>([
    ['has none before the data center is done', { since: null }, []],
    ['has none of a date whose time was over when it was done', { now: new Date('2025-10-06T23:00:00Z') }, []],
    ['has none before its time', { now: new Date('2025-10-07T00:14:59.999Z') }, []],
    ['makes one due at its time', { now: new Date('2025-10-07T00:15:00Z') }, ['due 2025-10-07']],
    [
      'counts one that is due at the moment of being done',
      { since: new Date('2025-10-07T00:15:00Z') },
      ['due 2025-10-07'],
    ],
    ['leaves one that is there alone', { rows: [row('2025-10-07', 'due')] }, []],
    ['begins no second one beside one that runs', { rows: [row('2025-10-07', 'running')] }, []],
    [
      'catches up the newest only after an outage',
      { now: new Date('2025-10-10T12:00:00Z') },
      ['missed 2025-10-07', 'missed 2025-10-08', 'missed 2025-10-09', 'due 2025-10-10'],
    ],
    [
      'misses one that could not run until the next is due',
      { rows: [row('2025-10-06', 'ran'), row('2025-10-07', 'due')], now: new Date('2025-10-08T00:15:00Z') },
      ['miss 2025-10-07', 'due 2025-10-08'],
    ],
    [
      'lets one that runs go on, and makes the next due',
      { rows: [row('2025-10-07', 'running')], now: new Date('2025-10-08T00:15:00Z') },
      ['due 2025-10-08'],
    ],
    [
      'fills a gap between rows',
      { rows: [row('2025-10-06', 'ran'), row('2025-10-08', 'ran')], now: new Date('2025-10-08T12:00:00Z') },
      ['missed 2025-10-07'],
    ],
    ['changes nothing when the clock goes back', { rows: [row('2025-10-09', 'ran')] }, []],
    [
      'goes on from its rows when nobody knows since when',
      { since: null, rows: [row('2025-10-06', 'ran')] },
      ['due 2025-10-07'],
    ],
  ])('%s', (_promise, change, expected) => {
    expect(brief(decideNights(facts(change)))).toEqual(expected);
  });

  test('records why one was missed', () => {
    const rows = [row('2025-10-07', 'due')];
    const now = new Date('2025-10-08T00:15:00Z');
    expect(decideNights(facts({ rows, now, heldBy: 'frozen' }))[0]).toMatchObject({
      note: 'it could not run before the next night was due: frozen',
    });
    const [missed] = decideNights(facts({ now: new Date('2025-10-08T12:00:00Z') }));
    expect(missed).toMatchObject({ note: expect.stringContaining('no scheduler ran') });
  });

  test.each([
    [
      'in a gap, at the first instant after it',
      'Europe/Berlin',
      '02:30',
      '2025-03-30',
      '2025-03-30T01:00:00.000Z',
      '2025-03-30T03:00:00',
    ],
    [
      'in an overlap, the first time',
      'Europe/Berlin',
      '02:30',
      '2025-10-26',
      '2025-10-26T00:30:00.000Z',
      '2025-10-26T02:30:00',
    ],
    [
      'at a midnight that does not exist',
      'America/Santiago',
      '00:15',
      '2025-09-07',
      '2025-09-07T04:00:00.000Z',
      '2025-09-07T01:00:00',
    ],
    [
      'across half an hour',
      'Australia/Lord_Howe',
      '02:15',
      '2025-10-05',
      '2025-10-04T15:30:00.000Z',
      '2025-10-05T02:30:00',
    ],
  ])('has the night %s', (_when, zone, at, date, dueAt, local) => {
    const now = new Date(`${date}T23:00:00Z`);
    const nights = decideNights(facts({ zone, at, since: new Date(now.getTime() - 2 * DAY_MS), now }));
    const night = nights.find(({ localDate }) => localDate === date);
    expect(night).toMatchObject({ dueAt: new Date(dueAt), dueLocal: `${local} ${zone}` });
  });

  test('has no night of the date that Apia skipped', () => {
    const now = new Date('2012-01-01T12:00:00Z');
    const nights = decideNights(facts({ zone: 'Pacific/Apia', since: new Date('2011-12-28T00:00:00Z'), now }));
    expect(nights.map(({ localDate }) => localDate)).toEqual([
      '2011-12-28',
      '2011-12-29',
      '2011-12-31',
      '2012-01-01',
      '2012-01-02',
    ]);
  });

  test('gives every date of a zone exactly one row, whenever it is asked', () => {
    const zones = ['Africa/Cairo', 'Asia/Beirut', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia'] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom('00:00', '00:15', '02:15', '23:45'),
        fc.integer({ min: Date.UTC(2011, 11, 20), max: Date.UTC(2025, 11, 1) }),
        fc.array(fc.integer({ min: 1, max: 4 * DAY_MS }), { minLength: 1, maxLength: 12 }),
        (zone, at, start, waits) => {
          const since = new Date(start);
          const rows: DueRow[] = [];
          let now = start;
          for (const wait of waits) {
            now += wait;
            for (const change of decideNights(facts({ zone, at, since, rows: rows.slice(-3), now: new Date(now) }))) {
              if (change.kind === 'insert') rows.push(change);
              else
                rows.splice(
                  rows.findIndex(({ localDate }) => localDate === change.localDate),
                  1,
                  { ...row(change.localDate, 'missed') },
                );
            }
          }
          const expected = [...listLocalNights(zone, at, since, new Date(now)).keys()];
          expect(rows.map(({ localDate }) => localDate)).toEqual(expected);
          expect(rows.filter(({ state }) => state === 'due').length).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('decideEnd', () => {
  test('calls it caught up when it began more than an hour late', () => {
    const dueAt = new Date('2025-10-07T00:15:00Z');
    expect(decideEnd(dueAt, dueAt)).toBe('ran');
    expect(decideEnd(dueAt, new Date(dueAt.getTime() + HOUR_MS))).toBe('ran');
    expect(decideEnd(dueAt, new Date(dueAt.getTime() + HOUR_MS + 1))).toBe('caught_up');
  });
});
