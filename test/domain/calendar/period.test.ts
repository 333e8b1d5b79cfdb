// What `--from` and `--to` mean in a zone, and what is rejected.
import { describe, expect, test } from 'vitest';
import { parsePeriod } from '../../../src/domain/calendar/period.js';

const NOW = new Date('2025-10-06T12:00:00Z');
const show = (given: Parameters<typeof parsePeriod>[0], zone = 'Asia/Kolkata'): readonly string[] => {
  const { from, to } = parsePeriod(given, zone, NOW);
  return [from.toISOString(), to.toISOString()];
};

describe('parsePeriod', () => {
  test('is the next 14 days when nothing is given', () => {
    expect(show({})).toEqual(['2025-10-06T12:00:00.000Z', '2025-10-20T12:00:00.000Z']);
  });

  test('reads dates as the first instants of the zone', () => {
    expect(show({ from: '2025-10-01', to: '2025-11-01' })).toEqual([
      '2025-09-30T18:30:00.000Z',
      '2025-10-31T18:30:00.000Z',
    ]);
  });

  test.each([
    [{ from: '2025-10-10', to: '2025-10-10' }, 'invalid_argument'],
    [{ from: '2025-10-10', to: '2025-10-09' }, 'invalid_argument'],
    [{ from: '2025-10-10', to: '2028-10-09' }, 'invalid_argument'],
    [{ from: 'tomorrow' }, 'invalid_instant'],
  ])('rejects %o', (given, code) => {
    expect(() => show(given)).toThrow(expect.objectContaining({ code }));
  });
});
