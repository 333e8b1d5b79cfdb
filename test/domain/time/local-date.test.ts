// Local dates: which date an instant falls on, and which comes next.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addLocalDays,
  listLocalDates,
  localDate,
  nextLocalDate,
  startOfLocalDate,
} from '../../../src/domain/time/local-date.js';
import { failureOf } from '../config/failure-of.js';

describe('localDate', () => {
  test.each([
    ['2025-10-05T18:29:59.999Z', 'Asia/Kolkata', '2025-10-05'],
    ['2025-10-05T18:30:00.000Z', 'Asia/Kolkata', '2025-10-06'],
    ['2011-12-30T09:59:59.999Z', 'Pacific/Apia', '2011-12-29'],
    ['2011-12-30T10:00:00.000Z', 'Pacific/Apia', '2011-12-31'],
  ])('shows %s in %s as %s', (instant, zone, date) => {
    expect(localDate(new Date(instant), zone)).toBe(date);
  });

  test('agrees with the calendar of the runtime', () => {
    const at = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2035, 0, 1) });
    fc.assert(
      fc.property(at, fc.constantFrom(...Intl.supportedValuesOf('timeZone')), (ms, zone) => {
        const shown = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' }).format(ms);
        expect(localDate(new Date(ms), zone)).toBe(shown);
      }),
    );
  });
});

describe('nextLocalDate', () => {
  test.each([
    ['2024-02-28', '2024-02-29'],
    ['2025-02-28', '2025-03-01'],
    ['2025-12-31', '2026-01-01'],
  ])('follows %s by %s', (date, next) => {
    expect(nextLocalDate(date)).toBe(next);
    expect(addLocalDays(next, -1)).toBe(date);
  });

  test('rejects what is not a date, and names it', () => {
    const failure = failureOf(() => nextLocalDate('2025-02-30'));
    expect(failure).toMatchObject({ code: 'invalid_instant', message: expect.stringContaining('"2025-02-30"') });
  });
});

describe('listLocalDates', () => {
  test.each([
    ['2024-02-28', '2024-03-01', ['2024-02-28', '2024-02-29', '2024-03-01']],
    ['2025-12-31', '2025-12-31', ['2025-12-31']],
    ['2025-12-31', '2025-12-30', []],
    ['2025-12-31', '2025-12-01', []],
  ])('has every date from %s to %s', (first, last, dates) => {
    expect(listLocalDates(first, last)).toEqual(dates);
  });
});

describe('startOfLocalDate', () => {
  test('is null only for a date that the zone skipped', () => {
    expect(startOfLocalDate('2011-12-30', 'Pacific/Apia')).toBeNull();
    expect(startOfLocalDate('2025-09-07', 'America/Santiago')).toEqual(new Date('2025-09-07T04:00:00Z'));
  });
});
