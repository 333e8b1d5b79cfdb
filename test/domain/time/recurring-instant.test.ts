// Recurring times: exactly one instant per local date, in order, whatever the clocks do.
import { describe, expect, test } from 'vitest';
import { localDate, nextLocalDate } from '../../../src/domain/time/local-date.js';
import { recurringInstant } from '../../../src/domain/time/recurring-instant.js';
import { failureOf } from '../config/failure-of.js';

const ZONES = [
  'Australia/Lord_Howe',
  'America/Santiago',
  'Africa/Cairo',
  'Asia/Beirut',
  'America/New_York',
  'Europe/Berlin',
  'Asia/Kolkata',
  'Pacific/Apia',
  'America/Nuuk',
] as const;
const TIMES = ['00:00', '00:15', '01:45', '02:30', '23:30'] as const;

function datesFrom(first: string, count: number): readonly string[] {
  const dates = [first];
  while (dates.length < count) dates.push(nextLocalDate(dates.at(-1) ?? first));
  return dates;
}

describe('recurringInstant', () => {
  test.each([
    ['2025-03-30', '02:30', 'Europe/Berlin', '2025-03-30T01:00:00.000Z'],
    ['2025-10-26', '02:30', 'Europe/Berlin', '2025-10-26T00:30:00.000Z'],
    ['2025-10-05', '02:15', 'Australia/Lord_Howe', '2025-10-04T15:30:00.000Z'],
    ['2025-04-06', '01:45', 'Australia/Lord_Howe', '2025-04-05T14:45:00.000Z'],
    ['2025-09-07', '00:15', 'America/Santiago', '2025-09-07T04:00:00.000Z'],
    ['2025-04-25', '00:15', 'Africa/Cairo', '2025-04-24T22:00:00.000Z'],
    ['2025-10-25', '23:15', 'Asia/Beirut', '2025-10-25T20:15:00.000Z'],
    ['2024-03-30', '23:30', 'America/Nuuk', '2024-03-31T01:00:00.000Z'],
    ['2025-10-06', '00:15', 'Asia/Kolkata', '2025-10-05T18:45:00.000Z'],
  ])('gives %s %s in %s its one instant', (date, time, zone, expected) => {
    expect(recurringInstant(date, time, zone)?.toISOString()).toBe(expected);
  });

  test('has none on a date that the zone skipped', () => {
    expect(recurringInstant('2011-12-30', '00:15', 'Pacific/Apia')).toBeNull();
    expect(recurringInstant('2011-12-29', '00:15', 'Pacific/Apia')?.toISOString()).toBe('2011-12-29T10:15:00.000Z');
    expect(recurringInstant('2011-12-31', '00:15', 'Pacific/Apia')?.toISOString()).toBe('2011-12-30T10:15:00.000Z');
  });

  test.each(ZONES)('is one instant per date and strictly later every day of a year in %s', (zone) => {
    const first = zone === 'Pacific/Apia' ? '2011-06-01' : '2025-01-01';
    for (const time of TIMES) {
      const instants = datesFrom(first, 370).map((date) => ({ date, instant: recurringInstant(date, time, zone) }));
      const skipped = instants.filter(({ instant }) => instant === null).map(({ date }) => date);
      expect(skipped).toEqual(zone === 'Pacific/Apia' ? ['2011-12-30'] : []);
      const times = instants.flatMap(({ instant }) => (instant === null ? [] : [instant.getTime()]));
      expect(times.every((at, index) => index === 0 || at > (times[index - 1] ?? at))).toBe(true);
    }
  });

  test.each(ZONES.filter((zone) => zone !== 'America/Nuuk'))('falls on its own local date in %s', (zone) => {
    for (const date of datesFrom('2025-01-01', 365)) {
      const instant = recurringInstant(date, '00:15', zone);
      expect(instant && localDate(instant, zone)).toBe(date);
    }
  });

  test.each(['24:00', '9:00', '12:60', '', '00:15:00', 'noon'])('rejects the time %j', (time) => {
    const failure = failureOf(() => recurringInstant('2025-10-06', time, 'UTC'));
    expect(failure.code).toBe('invalid_instant');
    expect(failure.message).toContain(JSON.stringify(time));
  });
});
