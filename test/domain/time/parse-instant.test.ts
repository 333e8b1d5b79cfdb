// One-off local times: read once, the same in every season and on every machine, or rejected with both candidates.
import fc from 'fast-check';
import { Settings } from 'luxon';
import { afterEach, describe, expect, test } from 'vitest';
import { parseLocalInstant } from '../../../src/domain/time/parse-instant.js';
import { RolloutError } from '../../../src/kernel/rollout-error.js';
import { failureOf } from '../config/failure-of.js';

const utc = (text: string, zone: string): string => parseLocalInstant(text, zone).instant.toISOString();
const machineZone = process.env.TZ;

afterEach(() => {
  if (machineZone === undefined) delete process.env.TZ;
  else process.env.TZ = machineZone;
  Settings.defaultZone = 'system';
  Settings.now = () => Date.now();
});

describe('parseLocalInstant', () => {
  test.each([
    ['2025-10-06', 'Asia/Kolkata', '2025-10-05T18:30:00.000Z', '2025-10-06T00:00:00'],
    ['2025-10-30T09:30', 'America/New_York', '2025-10-30T13:30:00.000Z', '2025-10-30T09:30:00'],
    ['2025-10-30 09:30:15', 'Europe/Berlin', '2025-10-30T08:30:15.000Z', '2025-10-30T09:30:15'],
    ['2025-10-30T23:59:59', 'UTC', '2025-10-30T23:59:59.000Z', '2025-10-30T23:59:59'],
    ['2024-02-29', 'Australia/Lord_Howe', '2024-02-28T13:00:00.000Z', '2024-02-29T00:00:00'],
    ['2011-12-31', 'Pacific/Apia', '2011-12-30T10:00:00.000Z', '2011-12-31T00:00:00'],
  ])('reads %s in %s', (text, zone, instant, local) => {
    expect(parseLocalInstant(text, zone)).toEqual({ instant: new Date(instant), local, zone });
  });

  test.each([
    ['2025-09-07', 'America/Santiago', '2025-09-07T04:00:00.000Z', '2025-09-07T01:00:00'],
    ['2025-04-25', 'Africa/Cairo', '2025-04-24T22:00:00.000Z', '2025-04-25T01:00:00'],
    ['2025-03-30', 'Asia/Beirut', '2025-03-29T22:00:00.000Z', '2025-03-30T01:00:00'],
  ])('takes the first instant of %s in %s, where midnight does not exist', (text, zone, instant, local) => {
    expect(parseLocalInstant(text, zone)).toEqual({ instant: new Date(instant), local, zone });
  });

  test('takes the first of two midnights', () => {
    expect(utc('2025-11-02', 'America/Havana')).toBe('2025-11-02T04:00:00.000Z');
  });

  test('shows both candidates of a time in a gap', () => {
    const failure = failureOf(() => parseLocalInstant('2025-03-30T02:30', 'Europe/Berlin'));
    expect(failure.code).toBe('invalid_instant');
    expect(failure.message).toBe(
      '2025-03-30T02:30:00 does not exist in Europe/Berlin; candidates are ' +
        '2025-03-30T01:30:00 local = 2025-03-30T00:30:00Z and 2025-03-30T03:30:00 local = 2025-03-30T01:30:00Z.',
    );
    expect(failure.next).toBe('Write a local time before 2025-03-30T02:00:00 or from 2025-03-30T03:00:00 on.');
  });

  test('shows both candidates of a time in an overlap', () => {
    const failure = failureOf(() => parseLocalInstant('2025-11-02 01:30', 'America/New_York'));
    expect(failure.code).toBe('invalid_instant');
    expect(failure.message).toBe(
      '2025-11-02T01:30:00 exists twice in America/New_York; candidates are ' +
        '2025-11-02T01:30:00 local = 2025-11-02T05:30:00Z and 2025-11-02T01:30:00 local = 2025-11-02T06:30:00Z.',
    );
    expect(failure.next).toBe('Write a local time before 2025-11-02T01:00:00 or from 2025-11-02T02:00:00 on.');
  });

  test.each([
    ['2025-10-05T02:15', 'Australia/Lord_Howe', 'does not exist', '2025-10-05T02:30:00'],
    ['2025-04-06T01:45', 'Australia/Lord_Howe', 'exists twice', '2025-04-06T02:00:00'],
    ['2025-09-07T00:00', 'America/Santiago', 'does not exist', '2025-09-07T01:00:00'],
    ['2025-04-05T23:30', 'America/Santiago', 'exists twice', '2025-04-06T00:00:00'],
    ['2025-04-25T00:30', 'Africa/Cairo', 'does not exist', '2025-04-25T01:00:00'],
    ['2025-10-25T23:15', 'Asia/Beirut', 'exists twice', '2025-10-26T00:00:00'],
    ['2011-12-30T12:00', 'Pacific/Apia', 'does not exist', '2011-12-31T00:00:00'],
  ])('rejects %s in %s: it %s', (text, zone, problem, end) => {
    const failure = failureOf(() => parseLocalInstant(text, zone));
    expect(failure).toMatchObject({ code: 'invalid_instant', message: expect.stringContaining(problem) });
    expect(failure.next).toContain(`from ${end} on`);
  });

  test('rejects a date that the zone skipped, with the dates around it', () => {
    const failure = failureOf(() => parseLocalInstant('2011-12-30', 'Pacific/Apia'));
    expect(failure.code).toBe('invalid_instant');
    expect(failure.message).toContain('2011-12-29T00:00:00 local = 2011-12-29T10:00:00Z');
    expect(failure.message).toContain('2011-12-31T00:00:00 local = 2011-12-30T10:00:00Z');
  });

  test.each([
    '2026-02-30',
    '2025-02-29T10:00',
    '2025-13-01',
    '2025-10-00',
    '2025-10-06T24:00',
    '2025-10-06T22:60',
    '2025-10-6',
    '2025-10-06T9:00',
    '20251006',
    '06.10.2025',
    'tomorrow',
    '1969-12-31',
    '2200-01-01',
    ' 2025-10-06',
    '2025-10-06\n',
    '2025-10-06T22:00:00.5',
  ])('rejects %j and names it', (text) => {
    const failure = failureOf(() => parseLocalInstant(text, 'Asia/Tokyo'));
    expect(failure.code).toBe('invalid_instant');
    expect(failure.message).toContain(JSON.stringify(text).slice(1, 11));
  });

  test.each(['2025-10-06T22:00Z', '2025-10-06T22:00:00+05:30', '2025-10-06 22:00 -0800', '2025-10-06T22:00 UTC'])(
    'rejects the offset of %s',
    (text) => {
      const failure = failureOf(() => parseLocalInstant(text, 'Asia/Tokyo'));
      expect(failure).toMatchObject({ code: 'invalid_instant', next: 'Write the local time without the offset.' });
    },
  );

  test('rejects a zone that does not exist', () => {
    expect(failureOf(() => parseLocalInstant('2025-10-06', 'Mars/Olympus')).code).toBe('invalid_zone');
  });

  test('reads the same instant in January and July and on machines of any zone', () => {
    const minute = fc.integer({ min: Date.UTC(2024, 0, 1) / 60_000, max: Date.UTC(2027, 0, 1) / 60_000 });
    const zone = fc.constantFrom('America/New_York', 'Australia/Lord_Howe', 'America/Santiago', 'Asia/Kolkata', 'UTC');
    fc.assert(
      fc.property(minute, zone, (at, name) => {
        const text = new Date(at * 60_000).toISOString().slice(0, 16);
        const read = (machine: string, now: string): string => {
          process.env.TZ = machine;
          Settings.defaultZone = machine;
          Settings.now = () => Date.parse(now);
          try {
            return utc(text, name);
          } catch (error) {
            return error instanceof RolloutError ? error.message : 'bug';
          }
        };
        expect(read('Asia/Tokyo', '2026-01-15T00:00:00Z')).toBe(read('America/St_Johns', '2026-07-15T00:00:00Z'));
      }),
    );
  });

  test('gives an instant whose local time is the text, in every zone', () => {
    const day = fc.integer({ min: Date.UTC(2024, 0, 1) / 86_400_000, max: Date.UTC(2030, 0, 1) / 86_400_000 });
    fc.assert(
      fc.property(day, fc.constantFrom(...Intl.supportedValuesOf('timeZone')), (at, zone) => {
        const date = new Date(at * 86_400_000).toISOString().slice(0, 10);
        const { instant, local } = parseLocalInstant(date, zone);
        const show = (when: number): string =>
          new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(when);
        expect(show(instant.getTime())).toBe(local.replace('T', ' '));
        expect(local.slice(0, 10)).toBe(date);
        expect(show(instant.getTime() - 1000).slice(0, 10) < date).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
