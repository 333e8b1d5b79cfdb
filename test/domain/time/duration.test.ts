// Durations: ISO 8601 in, words for people out.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/domain/time/duration.js';
import { failureOf } from '../config/failure-of.js';

describe('parseDuration', () => {
  test.each([
    ['PT12H', 43_200_000],
    ['P30D', 2_592_000_000],
    ['P1DT6H', 108_000_000],
    ['PT1H30M', 5_400_000],
    ['PT90S', 90_000],
    ['P2W', 1_209_600_000],
    ['PT0S', 0],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    ['12h', 'Write PT12H.'],
    ['30 min', 'Write PT30M.'],
    ['7 days', 'Write P7D.'],
    ['pt12h', 'Write PT12H.'],
    ['P1M', 'Count days instead, such as P30D.'],
    ['P1Y2D', 'Count days instead, such as P30D.'],
    ['P9999999D', 'Write at most P3660D.'],
    ['', 'Write one such as PT30M, PT12H, P1DT6H or P30D.'],
    ['P', 'Write one such as PT30M, PT12H, P1DT6H or P30D.'],
    ['PT', 'Write one such as PT30M, PT12H, P1DT6H or P30D.'],
    ['P1DT', 'Write one such as PT30M, PT12H, P1DT6H or P30D.'],
    ['-PT5M', 'Write one such as PT30M, PT12H, P1DT6H or P30D.'],
    ['PT1.5H', 'Write one such as PT30M, PT12H, P1DT6H or P30D.'],
    ['PT12H\n', 'Write one such as PT30M, PT12H, P1DT6H or P30D.'],
  ])('rejects %j and suggests a fix', (text, next) => {
    const failure = failureOf(() => parseDuration(text));
    expect(failure.code).toBe('invalid_duration');
    expect(failure.message).toContain(JSON.stringify(text));
    expect(failure.next).toBe(next);
  });

  test('adds its parts', () => {
    const part = fc.integer({ min: 0, max: 400 });
    fc.assert(
      fc.property(part, part, part, part, (days, hours, minutes, seconds) => {
        const expected = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
        expect(parseDuration(`P${days}DT${hours}H${minutes}M${seconds}S`)).toBe(expected);
      }),
    );
  });
});

describe('formatDuration', () => {
  test.each([
    [0, '0 s'],
    [-5000, '0 s'],
    [0.2, '0 ms'],
    [250, '250 ms'],
    [999.6, '1 s'],
    [45_000, '45 s'],
    [59_700, '1 min'],
    [125_000, '2 min 5 s'],
    [3_599_700, '1 h'],
    [7_500_000, '2 h 5 min'],
    [86_399_000, '1 d'],
    [259_200_000, '3 d'],
    [270_000_000, '3 d 3 h'],
  ])('shows %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('never shows more than two units', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
        expect(formatDuration(ms)).toMatch(/^\d+ (?:d|h|min|s|ms)(?: \d+ (?:h|min|s))?$/);
      }),
    );
  });
});
