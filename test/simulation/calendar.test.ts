// Whole calendars on a virtual clock, with the real decision functions: exactly one nightly row per local date, no
// early and no lost cut-over, whatever goes wrong; and a bug that is planted is found, and reported by a short
// calendar.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DueChange } from '../../src/domain/calendar/due-work.js';
import { toLocalMs } from '../../src/domain/time/local-time.js';
import { arbitraryPlan, ZONES } from './arbitrary-plan.js';
import type { Disturbance } from './disturb.js';
import { listBroken } from './promises.js';
import { rememberOffsets } from './remember-offsets.js';
import { type Deciders, REAL } from './scheduler.js';
import { type Plan, simulate } from './simulate.js';

let restoreOffsets: () => void;
beforeAll(() => {
  restoreOffsets = rememberOffsets();
});
afterAll(() => restoreOffsets());

const YEAR: Plan = {
  start: '2025-01-01T00:00:00Z',
  days: 365,
  nightAt: '02:15',
  pollMinutes: 240,
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

const judge = (plan: Plan, deciders = REAL): readonly string[] => listBroken(plan, simulate(plan, deciders));

describe('a year in eight zones', () => {
  test('has every night once, and every cut-over at its instant, where nothing goes wrong', () => {
    expect(judge(YEAR)).toEqual([]);
  });

  test('has them too across outages at an instant, restarts in a loop, and operators who reorder and postpone', () => {
    const month = 24 * 30;
    const disturbances: readonly Disturbance[] = [
      { kind: 'no_scheduler', at: month - 2, hours: 5 },
      { kind: 'postpone', dc: 1, at: month, hours: 100 },
      { kind: 'cell_down', dc: 2, at: 3 * month - 1, hours: 30 },
      { kind: 'restarts', at: 4 * month - 1, times: 120, polls: 1 },
      { kind: 'reorder', at: 30 },
      { kind: 'freeze', dc: 4, at: 5 * month - 1, hours: 50 },
      { kind: 'suspended', at: 6 * month - 3, hours: 6 },
      { kind: 'pause', dc: 6, at: 7 * month - 10, hours: 20 },
      { kind: 'reopen', dc: 7, at: 8 * month - 5 },
      { kind: 'no_scheduler', at: 9 * month, hours: 24 * 40 },
    ];
    expect(judge({ ...YEAR, disturbances })).toEqual([]);
  });

  test('has a cut-over that was decided, although an apply was asked for at its instant and began before the latch', () => {
    const [dataCenter] = YEAR.dataCenters;
    const plan: Plan = {
      ...{ ...YEAR, start: '2025-03-03T00:00:00Z', days: 12, pollMinutes: 180 },
      dataCenters:
        dataCenter === undefined ? [] : [{ ...dataCenter, cutover: 126, bakeHours: 0, windows: [], skewMs: 0 }],
      disturbances: [{ kind: 'apply', dc: 0, at: 126 }],
    };
    expect(simulate(plan, REAL).world.facts.filter(({ kind }) => kind === 'activated')).toHaveLength(2);
    expect(judge(plan)).toEqual([]);
  });
});

describe('any calendar', () => {
  test('keeps its promises', () => {
    fc.assert(
      fc.property(arbitraryPlan, (plan) => {
        expect(judge(plan)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Every one a mistake that schedulers are known for. */
const BUGS: Readonly<Record<string, Partial<Deciders>>> = {
  'a night every 24 hours': {
    decideNights: (facts) => {
      const last = facts.rows.findLast(({ work }) => work === 'reconcile');
      const next = last && new Date(last.dueAt.getTime() + DAY_MS);
      if (last === undefined || next === undefined) return REAL.decideNights(facts);
      if (facts.now < next) return [];
      const localDate = new Date(toLocalMs(next, facts.zone)).toISOString().slice(0, 10);
      return [
        ...(last.state === 'due' ? [miss(last.localDate)] : []),
        { kind: 'insert', work: 'reconcile', localDate, dueAt: next, dueLocal: '', state: 'due', note: null },
      ];
    },
  },
  'only the newest night after an outage': {
    decideNights: (facts) =>
      REAL.decideNights(facts).filter((change) => change.kind === 'miss' || change.state === 'due'),
  },
  'a night for each wake-up, without reading the rows': {
    decideNights: ({ zone, at, since, now }) =>
      since === null ? [] : REAL.decideNights({ zone, at, since: now, rows: [], heldBy: null, now }),
  },
  'a cut-over that only announces itself': {
    decideGate: (snapshot, dc) => {
      const decision = REAL.decideGate(snapshot, dc);
      const ahead = dc.cutoverAt !== null && snapshot.now.getTime() - dc.cutoverAt.getTime() < 6 * HOUR_MS;
      return ahead ? decision : { ...decision, steps: decision.steps.filter(({ kind }) => kind !== 'latch_gate') };
    },
  },
  'a gate that does not ask for the stage': {
    decideGate: (snapshot, dc) => REAL.decideGate(snapshot, { ...dc, stage: 'done' }),
  },
  'a start that does not ask for the date': {
    decideStep: (snapshot, dc) => REAL.decideStep(snapshot, { ...dc, notBeforeAt: null }),
  },
};

const miss = (localDate: string): DueChange => ({ kind: 'miss', work: 'reconcile', localDate, note: 'planted' });

describe('a planted bug', () => {
  test.each(Object.entries(BUGS))('%s: is found, and shown by a short calendar', (_name, bug) => {
    const found = fc.check(
      fc.property(arbitraryPlan, (plan) => judge(plan, { ...REAL, ...bug }).length === 0),
      { numRuns: 200, seed: 1, endOnFailure: false },
    );
    expect(found.failed).toBe(true);
    const [plan] = found.counterexample ?? [];
    expect(plan?.dataCenters.length).toBeLessThanOrEqual(2);
    expect(plan?.disturbances.length).toBeLessThanOrEqual(2);
    // and it is the bug that was found, not the calendar
    expect(plan && judge(plan)).toEqual([]);
  });
});
