// Every limit that a decision has, exactly at its value and one step to either side: what is below, at it, and beyond.
import { describe, expect, test } from 'vitest';
import {
  decideThrottle,
  readEffectiveLanes,
  type Throttle,
  UNDECIDED,
} from '../../src/domain/checks/decide-throttle.js';
import { type CheckReading, judgeReading, MAX_AGE_MS } from '../../src/domain/checks/reading.js';
import { explainSignUpsWait, isLongWait } from '../../src/domain/cutover/sign-up-writing.js';
import { decidePageSize, isFollowed } from '../../src/domain/feed/decide-pace.js';
import { sortEdits } from '../../src/domain/feed/sort-edits.js';
import { type CallLimits, type DayState, decideCall, findDayLimit } from '../../src/domain/meter/decide-call.js';
import { exceedsQuarantine } from '../../src/domain/plan/guard-rails.js';
import { decideCaps, type FallCounts } from '../../src/domain/reconcile/decide-caps.js';
import { decideMaintenance } from '../../src/domain/rollout/decide-maintenance.js';
import { decideUndoing } from '../../src/domain/rollout/decide-undo.js';
import type { ReadCell } from '../../src/domain/rollout/decision.js';
import { isPauseOver } from '../../src/domain/rollout/decision.js';
import { decidePauseEnd } from '../../src/domain/rollout/pause-end.js';
import { nameReading } from '../../src/domain/source/read-times.js';
import { DAY_MS } from '../../src/domain/time/duration.js';
import { decideDelivery } from '../../src/domain/webhooks/decide-delivery.js';
import { cell, dc, NOW } from './rollout/sample-snapshot.js';
import { decide } from './rollout/step-scene.js';

const ago = (ms: number): Date => new Date(NOW.getTime() - ms);
const snapshot = { now: NOW, dataCenters: [] };
const check = (value: number, ageMs = 0): CheckReading => ({
  check: { name: 'shop', limit: 100 },
  value,
  error: null,
  sampledAt: ago(ageMs),
});
const throttle = (change: Partial<Throttle> = {}): Throttle => ({
  ...{ lanes: 4, goodSamples: 0, changedAt: ago(60_000), sampledAt: ago(5_000), slowed: true },
  ...change,
});
const lanesAfter = (use: number, before: Throttle): number | null =>
  decideThrottle([check(use * 100)], { lanes: 8, throttle: before }, NOW).lanes;
const night = (counts: Partial<FallCounts>) =>
  decideCaps(
    { raises: 0, falls: 0, lapses: 0, gone: 0, allotments: 100_000, ...counts },
    { maxChanged: null, maxLapsed: null, falls: 'within_limits' },
  );
const day = (change: Partial<DayState> = {}): DayState => ({
  model: 'credits',
  ...{ capacity: 100, otherCapacity: null, calls: 0, credits: 0, callsGivenBack: 0, creditsGivenBack: 0, inFlight: 0 },
  ...change,
});
const LIMITS: CallLimits = {
  ...({ model: 'credits', enforceCredits: 'on', enforceConcurrency: 'on' } as const),
  ...{ capacity: 100, concurrency: 5 },
};
const undoing = (effectiveAt: Date): ReadCell => cell({ gate: { configuredAt: effectiveAt, effectiveAt } });
const ending = (ms: number): string => {
  try {
    return decidePauseEnd({ kind: 'for', text: `PT${ms / 1_000}S` }, 'UTC', NOW).toISOString();
  } catch {
    return 'refused';
  }
};
const edits = (count: number) => Array.from({ length: count }, (_, n) => ({ id: `${n}`, at: 'one' }));
const WAITS = { count: 1, readMs: null, failure: null, untriedMs: 0 } as const;
const WRITING = { frozen: false, singleWrites: true, workersAlive: 1 } as const;

/** Each with what it says of a number, and what that is from which number on. */
const EACH: Readonly<Record<string, readonly [(n: number) => unknown, Readonly<Record<number, unknown>>]>> = {
  'gone orgs of a night': [(n) => night({ gone: n }).gone, { 1000: 'heal', 1001: 'propose' }],
  'gone orgs that are given as a reason': [(n) => night({ gone: n }).reasons.length, { 1000: 0, 1001: 1 }],
  'orgs that a night changes': [(n) => night({ falls: n }).falls, { 10000: 'heal', 10001: 'propose' }],
  'orgs that lapse': [(n) => night({ lapses: n }).lapses, { 1000: 'heal', 1001: 'propose' }],
  'a share, which is rounded up': [
    (n) => night({ lapses: n, allotments: 100_001 }).lapses,
    { 1001: 'heal', 1002: 'propose' },
  ],
  'a small data center': [(n) => night({ gone: n, allotments: 20 }).gone, { 10: 'heal', 11: 'propose' }],
  'a check': [(n) => judgeReading(check(n), NOW), { 99: 'pass', 100: 'fail' }],
  'the age of a reading': [
    (n) => judgeReading(check(0, n), NOW),
    { [MAX_AGE_MS]: 'pass', [MAX_AGE_MS + 1]: 'no_data' },
  ],
  'the age of a sampling': [
    (n) => readEffectiveLanes(throttle({ sampledAt: ago(n) }), 4, NOW),
    { [MAX_AGE_MS]: 4, [MAX_AGE_MS + 1]: 0 },
  ],
  'lanes that grow': [
    (n) => lanesAfter(n / 100, throttle()),
    { 39: 5, 40: 4, 69: 4, 70: 3, 99: 3, 100: 2, 199: 2, 200: 0 },
  ],
  'a calm begin': [(n) => lanesAfter(n / 100, UNDECIDED), { 39: 2, 40: 1 }],
  'when lanes grow': [(n) => lanesAfter(0, throttle({ changedAt: ago(n) })), { 14999: 4, 15000: 5 }],
  'when they grow quickly': [(n) => lanesAfter(0, throttle({ changedAt: ago(n), slowed: false })), { 999: 4, 1000: 5 }],
  'what is forgotten': [(n) => lanesAfter(0.5, throttle({ sampledAt: ago(n), lanes: 3 })), { 60000: 3, 60001: 1 }],
  'the age of a message': [
    (n) => decideDelivery({ kind: 'failed', code: 'x', refused: false }, { failures: 0, attempts: 0, ageMs: n }).state,
    { [DAY_MS - 1]: 'waiting', [DAY_MS]: 'dead' },
  ],
  'credits of a day': [(n) => decideCall(day({ credits: n }), LIMITS, 10).verdict, { 90: 'allowed', 91: 'credits' }],
  'calls of a legacy day': [
    (n) => decideCall(day({ model: 'legacy', calls: n }), { ...LIMITS, model: 'legacy' }, 10).verdict,
    { 99: 'allowed', 100: 'credits' },
  ],
  'what was given back': [
    (n) => decideCall(day({ credits: 100, creditsGivenBack: n }), LIMITS, 10).verdict,
    { 9: 'credits', 10: 'allowed' },
  ],
  'calls that were given back': [
    (n) =>
      decideCall(day({ model: 'legacy', calls: 100, callsGivenBack: n }), { ...LIMITS, model: 'legacy' }, 1).verdict,
    { 0: 'credits', 1: 'allowed' },
  ],
  'calls at once': [(n) => decideCall(day({ inFlight: n }), LIMITS, 1).verdict, { 4: 'allowed', 5: 'concurrency' }],
  'the larger number of a day that changes': [
    (n) => findDayLimit(day({ model: 'legacy' }), { ...LIMITS, capacity: n }),
    { 99: 100, 101: 101 },
  ],
  'the larger number of a day that changed back': [
    (n) => findDayLimit(day({ otherCapacity: 100 }), { ...LIMITS, capacity: n }),
    { 99: 100, 101: 101 },
  ],
  'rollout.notBefore': [(n) => decide(dc({ requested: true, notBeforeAt: ago(-n) })).steps, { 0: ['activate'], 1: [] }],
  'the end of a bake': [
    (n) => decide(dc({ stage: 'baking', bakeUntil: ago(-n) })).steps,
    { 0: ['advance done'], 1: [] },
  ],
  'a cut-over during an undo': [
    (n) => decideUndoing(snapshot, dc({ stage: 'undoing' }), undoing(ago(-n))).steps.map(({ kind }) => kind),
    { 0: ['close_fence'], 1: [] },
  ],
  'the rest after a failed night': [
    (n) =>
      decideMaintenance(
        snapshot,
        dc({
          stage: 'done',
          singleWrites: true,
          maintenance: { open: null, closedEpoch: null, night: null, requested: true, failedAt: ago(n) },
          cell: cell({ fence: { state: 'closed', singleWrites: true } }),
        }),
      ).steps.map(({ kind }) => kind),
    { 59999: [], 60000: ['start_maintenance'] },
  ],
  'the end of a pause': [
    (n) => isPauseOver({ pause: { since: ago(99), by: 'a', reason: null, until: ago(-n) } as never }, NOW),
    { 0: true, 1: false },
  ],
  'the longest pause': [
    (n) => ending(n) === 'refused',
    { 0: true, 1000: false, [30 * DAY_MS]: false, [30 * DAY_MS + 1000]: true },
  ],
  'orgs in quarantine beyond the plan': [
    (n) => exceedsQuarantine({ quarantined: n, planned: 20, orgs: 1000 }, 0.01),
    { 20: false, 21: true },
  ],
  'orgs in quarantine beyond the share': [
    (n) => exceedsQuarantine({ quarantined: n, planned: 0, orgs: 1000 }, 0.02),
    { 20: false, 21: true },
  ],
  'orgs of one instant': [
    (n) => sortEdits([...edits(n), { id: 'x', at: 'two' }], { pageSize: 50, queue: 'open' }).readPast,
    { 100: null, 101: 'one' },
  ],
  'a page that is quick': [(n) => decidePageSize(100, 100, n), { 149: 200, 150: 100, 500: 100, 501: 50 }],
  'a search after which raises follow': [(n) => isFollowed(n), { 238: true, 239: false }],
  'a sign-up that waits': [
    (n) => isLongWait({ count: 1, oldestMs: n }, 'being_written'),
    { 10000: false, 10001: true },
  ],
  'a view that takes long': [
    (n) => explainSignUpsWait({ ...WAITS, readMs: n }, WRITING),
    { 250: 'being_written', 251: 'view_takes_long' },
  ],
  'sign-ups that nobody came to': [
    (n) => explainSignUpsWait({ ...WAITS, untriedMs: n }, WRITING),
    { 5000: 'being_written', 5001: 'crowd' },
  ],
  'an org that is read alone': [
    (n) => nameReading({ oneOrgMs: n, orgListMs: 1_000 }),
    { 10: 'alone', 11: 'lists', 250: 'together' },
  ],
  'a list that costs no more than its orgs': [
    (n) => nameReading({ oneOrgMs: 100, orgListMs: n }),
    { 400: 'together', 401: 'lists' },
  ],
  'an org whose list nobody measured': [
    (n) => nameReading({ oneOrgMs: n, orgListMs: null }),
    { 50: 'lists', 51: 'together' },
  ],
  'work that stalls': [
    (n) => decide(dc({ stage: 'migrating', cell: cell({ run: { idleMs: n } }) })).holds,
    { 120000: [], 120001: ['stalled'] },
  ],
};

describe('a limit', () => {
  test.each(Object.entries(EACH))('%s', (_name, [of, expected]) => {
    const found = Object.fromEntries(Object.keys(expected).map((n) => [n, of(Number(n))]));
    expect(found).toEqual(expected);
  });
});
