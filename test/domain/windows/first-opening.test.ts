// Windows that never open, and when the others do.
import { describe, expect, test } from 'vitest';
import { canEverOpen, describeNeverOpen, findFirstOpening } from '../../../src/domain/windows/first-opening.js';
import type { WindowSpec } from '../../../src/domain/windows/windows.js';

const night: WindowSpec = { from: '22:00', to: '05:00' };
const always: WindowSpec = { from: '00:00', to: '00:00', deny: true };
const NOW = new Date('2025-10-06T12:00:00Z');

describe('findFirstOpening', () => {
  test.each<[string, readonly WindowSpec[], string | null]>([
    ['now without windows', [], '2025-10-06T12:00:00.000Z'],
    ['at the next opening', [night], '2025-10-06T22:00:00.000Z'],
    ['after a ban', [{ from: '12:00', to: '13:00', deny: true }], '2025-10-06T13:00:00.000Z'],
    ['on a date that is years ahead', [{ ...night, dates: ['2028-02-29'] }], '2028-02-29T22:00:00.000Z'],
    ['on the first of several dates', [{ ...night, dates: ['2029-01-02', '2028-02-29'] }], '2028-02-29T22:00:00.000Z'],
    ['never on dates that are over', [{ ...night, dates: ['2024-02-29'] }], null],
    ['never under a ban', [night, always], null],
    ['never where every date is banned', [{ ...night, dates: ['2028-02-29'] }, always], null],
  ])('opens %s', (_when, windows, expected) => {
    expect(findFirstOpening(windows, 'UTC', NOW)?.toISOString() ?? null).toBe(expected);
  });
});

describe('canEverOpen', () => {
  test.each<[string, readonly WindowSpec[], string, boolean]>([
    ['of dates that are over', [{ ...night, dates: ['1999-01-01'] }], 'UTC', true],
    ['under a ban', [night, always], 'UTC', false],
    ['of nothing but a ban', [always], 'UTC', false],
    ['on a date that a zone skipped', [{ ...night, dates: ['2011-12-30'] }], 'Pacific/Apia', false],
    ['on a date that another zone has', [{ ...night, dates: ['2011-12-30'] }], 'Asia/Kolkata', true],
    [
      'where bans leave an hour on one weekday',
      [
        { ...night, days: ['mon'] },
        { from: '23:00', to: '22:00', deny: true },
      ],
      'UTC',
      true,
    ],
  ])('knows windows %s', (_case, windows, zone, expected) => {
    expect(canEverOpen(windows, zone)).toBe(expected);
    if (!expected) expect(describeNeverOpen(windows)).not.toBe('');
  });
});
