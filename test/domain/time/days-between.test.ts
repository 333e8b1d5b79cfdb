import { describe, expect, test } from 'vitest';
import { daysBetween } from '../../../src/domain/time/days-between.js';

describe('daysBetween', () => {
  test.each([
    ['2026-02-15', '2026-02-15', 0],
    ['2026-02-15', '2026-02-14', -1],
    ['2024-02-28', '2024-03-01', 2],
    ['2025-10-25', '2025-11-03', 9],
  ] as const)('counts whole days from %s to %s', (from, to, days) => {
    expect(daysBetween(from, to)).toBe(days);
  });

  test('throws on what is no date', () => {
    expect(() => daysBetween('2026-02-30', '2026-03-01')).toThrow('2026-02-30');
  });
});
