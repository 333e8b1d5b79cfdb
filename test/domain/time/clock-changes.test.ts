// When the clocks of a zone change, and how that is shown.
import { describe, expect, test } from 'vitest';
import { describeClockChange, listClockChanges } from '../../../src/domain/time/clock-changes.js';

const list = (zone: string, from: string, to: string): readonly string[] =>
  listClockChanges(zone, new Date(from), new Date(to)).map(
    (change) => `${change.at.toISOString()}: ${describeClockChange(change)}`,
  );

describe('listClockChanges', () => {
  test.each([
    [
      'Europe/Berlin',
      [
        '2025-03-30T01:00:00.000Z: the clocks go from 02:00 to 03:00',
        '2025-10-26T01:00:00.000Z: the clocks go from 03:00 to 02:00',
      ],
    ],
    [
      'Australia/Lord_Howe',
      [
        '2025-04-05T15:00:00.000Z: the clocks go from 02:00 to 01:30',
        '2025-10-04T15:30:00.000Z: the clocks go from 02:00 to 02:30',
      ],
    ],
    [
      'America/Santiago',
      [
        '2025-04-06T03:00:00.000Z: the clocks go from 00:00 to 23:00',
        '2025-09-07T04:00:00.000Z: the clocks go from 00:00 to 01:00',
      ],
    ],
    ['Asia/Kolkata', []],
    ['UTC', []],
  ])('finds those of %s in a year', (zone, expected) => {
    expect(list(zone, '2025-01-01T00:00:00Z', '2026-01-01T00:00:00Z')).toEqual(expected);
  });

  test('names the date that Apia skipped', () => {
    expect(list('Pacific/Apia', '2011-12-29T00:00:00Z', '2012-01-02T00:00:00Z')).toEqual([
      '2011-12-30T10:00:00.000Z: the clocks go from 2011-12-30 00:00 to 2011-12-31 00:00; the date 2011-12-30 does not exist',
    ]);
  });

  test('takes in the last instant, and not the first', () => {
    const change = '2025-03-30T01:00:00Z';
    expect(list('Europe/Berlin', '2025-03-29T12:00:00Z', change)).toHaveLength(1);
    expect(list('Europe/Berlin', change, '2025-04-05T00:00:00Z')).toHaveLength(0);
  });
});
