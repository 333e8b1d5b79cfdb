// Days of the meter: of 23, 24 and 25 hours, without a midnight, with a date that does not exist; and that they follow
// each other without a gap, whatever the zone.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findMeterDay, nextMeterDay } from '../../../src/domain/meter/meter-day.js';

const HOUR = 3_600_000;
const at = (iso: string): number => Date.parse(iso);

describe('findMeterDay', () => {
  test.each([
    ['Asia/Kolkata', '2025-10-06T00:00:00Z', '2025-10-06', '2025-10-05T18:30:00Z', 24],
    ['Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-29', '2026-03-28T23:00:00Z', 23],
    ['Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-25', '2026-10-24T22:00:00Z', 25],
    // the clocks go from 24:00 to 01:00: that day begins at 01:00
    ['America/Santiago', '2026-09-06T12:00:00Z', '2026-09-06', '2026-09-06T04:00:00Z', 23],
    // the clocks go from 24:00 back to 23:00
    ['America/Santiago', '2026-04-04T12:00:00Z', '2026-04-04', '2026-04-04T03:00:00Z', 25],
    // 2011-12-30 does not exist
    ['Pacific/Apia', '2011-12-30T09:59:59Z', '2011-12-29', '2011-12-29T10:00:00Z', 24],
    ['Australia/Lord_Howe', '2026-04-05T00:00:00Z', '2026-04-05', '2026-04-04T13:00:00Z', 24.5],
    // the clocks go from 00:01 back to 23:01: the day does not come back
    ['America/St_Johns', '2010-11-07T02:40:00Z', '2010-11-07', '2010-11-07T02:30:00Z', 25],
  ])('in %s at %s is %s', (zone, instant, day, start, hours) => {
    expect(findMeterDay(at(instant), zone)).toEqual({ day, startMs: at(start), endMs: at(start) + hours * HOUR });
  });

  test('changes at the reset to the millisecond', () => {
    const reset = at('2026-09-06T04:00:00Z');
    expect(findMeterDay(reset - 1, 'America/Santiago').day).toBe('2026-09-05');
    expect(findMeterDay(reset, 'America/Santiago').day).toBe('2026-09-06');
  });

  test('contains its instant, and the next one begins where it ends', () => {
    const zone = fc.constantFrom('America/Santiago', 'America/St_Johns', 'Pacific/Apia', 'Europe/Berlin', 'UTC');
    const instant = fc.integer({ min: at('2007-01-01T00:00:00Z'), max: at('2030-01-01T00:00:00Z') });
    fc.assert(
      fc.property(zone, instant, (name, ms) => {
        const day = findMeterDay(ms, name);
        expect(day.startMs).toBeLessThanOrEqual(ms);
        expect(day.endMs).toBeGreaterThan(ms);
        const next = nextMeterDay(day, name);
        expect(next.startMs).toBe(day.endMs);
        expect(next.day > day.day).toBe(true);
      }),
    );
  });
});
