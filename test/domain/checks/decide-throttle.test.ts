// The throttle: each step by itself, and what no sequence of readings can bring about.
import { describe, expect, test } from 'vitest';
import {
  decideThrottle,
  readEffectiveLanes,
  restAfter,
  type Throttle,
  UNDECIDED,
} from '../../../src/domain/checks/decide-throttle.js';
import type { CheckReading } from '../../../src/domain/checks/reading.js';

const T0 = new Date('2026-01-01T00:00:00Z');
const at = (seconds: number): Date => new Date(T0.getTime() + seconds * 1_000);

const reading = (use: number | null, sampledAt: Date): CheckReading => ({
  check: { name: 'shop', limit: 100 },
  value: use === null ? null : use * 100,
  error: use === null ? '42501' : null,
  sampledAt,
});

/** It works in every lane, and a check has slowed it before. */
const FULL: Throttle = { lanes: 4, goodSamples: 0, changedAt: at(-60), sampledAt: at(-5), slowed: true };

/** The lanes after each of the samples, one every five seconds. */
function play(uses: readonly (number | null)[], lanes = 4, from: Throttle = FULL): readonly (number | null)[] {
  let throttle = from;
  return uses.map((use, sample) => {
    const now = at(sample * 5);
    throttle = decideThrottle([reading(use, now)], { lanes, throttle }, now);
    return throttle.lanes;
  });
}

describe('decideThrottle', () => {
  test.each([
    ['stays between 0.4 and 0.7', [0.4, 0.69, 0.5], [4, 4, 4]],
    ['takes one step less from 0.7', [0.7, 0.99, 0.8, 0.8, 0.8, 0.8], [3, 2, 1, 0.5, 0.25, 0.125]],
    ['halves from 1', [1, 1.99, 1, 1, 1, 1], [2, 1, 0.5, 0.25, 0.125, 0.125]],
    ['holds from 2', [2], [0]],
    ['holds without data', [null], [0]],
    ['comes back with the smallest after three good samples', [2, 0, 0.69, 0, 0], [0, 0, 0, 0.125, 0.125]],
    ['counts good samples in a row only', [2, 0, 0, 0.7, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0.125]],
    ['takes what is missing for no good sample', [2, 0, 0, null, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0.125]],
    ['grows every 15 s', [1, 0, 0, 0, 0, 0, 0, 0], [2, 2, 2, 3, 3, 3, 4, 4]],
  ])('%s', (_, uses, lanes) => {
    expect(play(uses)).toEqual(lanes);
  });

  test('doubles below one lane', () => {
    expect(play([2, 0, 0, 0, ...Array<number>(12).fill(0)]).filter((_, sample) => sample % 3 === 0)).toEqual([
      0, 0.125, 0.25, 0.5, 1, 2,
    ]);
  });

  test('begins with two lanes where it is calm, else with one, and grows with each sample until a check slows it', () => {
    expect(play([0, 0.39, 0, 0, 0], 4, UNDECIDED)).toEqual([2, 3, 4, 4, 4]);
    expect(play([0, 0, 0.8, 0, 0, 0, 0], 4, UNDECIDED)).toEqual([2, 3, 2, 2, 2, 3, 3]);
    expect(play([0, 0], 1, UNDECIDED)).toEqual([1, 1]);
    expect(play([0.5, 0.5, 0], 4, UNDECIDED)).toEqual([1, 1, 2]);
    expect(play([2, 0, 0, 0], 4, UNDECIDED)).toEqual([0, 0, 0, 0.125]);
  });

  test('begins with one lane where others write much, and grows slowly from then on', () => {
    const given = { lanes: 4, throttle: UNDECIDED, busy: true };
    const first = decideThrottle([reading(0, T0)], given, T0);
    expect(first).toMatchObject({ lanes: 1, slowed: true });
    const soon = decideThrottle([reading(0, at(14))], { ...given, throttle: first }, at(14));
    expect(soon.lanes).toBe(1);
    expect(decideThrottle([reading(0, at(15))], { ...given, throttle: soon }, at(15)).lanes).toBe(2);
    // without a check nothing is slowed, whoever writes
    expect(decideThrottle([], given, T0).lanes).toBe(4);
  });

  test('goes by the worst of several, and takes no reading at all for no check', () => {
    const given = { lanes: 4, throttle: FULL };
    expect(decideThrottle([reading(0, T0), reading(2, T0)], given, T0).lanes).toBe(0);
    expect(decideThrottle([reading(0, T0), reading(null, T0)], given, T0).lanes).toBe(0);
    expect(decideThrottle([], { lanes: 4, throttle: UNDECIDED }, T0).lanes).toBe(4);
  });

  test('forgets what was decided for work of a minute ago, and follows a setting that is lowered', () => {
    const held = decideThrottle([reading(2, T0)], { lanes: 4, throttle: UNDECIDED }, T0);
    expect(decideThrottle([reading(0, at(61))], { lanes: 4, throttle: held }, at(61)).lanes).toBe(2);
    expect(decideThrottle([reading(0.5, at(5))], { lanes: 2, throttle: FULL }, at(5)).lanes).toBe(2);
  });

  test('takes the probe for calm at 1', () => {
    const probe = (value: number): CheckReading => ({ ...reading(0, T0), check: { name: 'probe', limit: 2 }, value });
    const lanesAt = (value: number): number | null =>
      decideThrottle([probe(value)], { lanes: 4, throttle: FULL }, T0).lanes;
    expect([0.5, 1, 1.6, 1.8, 2, 3].map(lanesAt)).toEqual([4, 4, 4, 3, 2, 0]);
  });
});

/** Always the same numbers for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('whatever is read, and however clocks jump', () => {
  const STEPS = [0, 0.125, 0.25, 0.5, ...Array.from({ length: 32 }, (_, n) => n + 1)];
  const cases = Array.from({ length: 80 }, (_, seed) => seed + 1);

  test('lanes are a step between none and the setting, and without data there are none', () => {
    const wrong: unknown[] = [];
    for (const seed of cases) {
      const random = createRandom(seed);
      let throttle: Throttle = UNDECIDED;
      let now = T0;
      for (let sample = 0; sample < 60; sample += 1) {
        now = new Date(now.getTime() + (random() < 0.05 ? (random() - 0.5) * 400_000 : random() * 8_000));
        const lanes = 1 + Math.floor(random() * 8);
        const use = random() < 0.1 ? null : random() < 0.05 ? Number.NaN : random() * 2.5 - 0.1;
        const readAt = new Date(now.getTime() - (random() < 0.1 ? 16_000 : random() * 14_000));
        throttle = decideThrottle([reading(use, readAt)], { lanes, throttle }, now);
        const told = use !== null && !Number.isNaN(use) && now.getTime() - readAt.getTime() <= 15_000;
        const given = throttle.lanes ?? -1;
        if (!STEPS.includes(given) || given > lanes || (!told && given > 0))
          wrong.push({ seed, sample, given, lanes, use });
      }
    }
    expect(wrong).toEqual([]);
  });

  test('a worse reading never gives more lanes than a better one', () => {
    for (const seed of cases) {
      const random = createRandom(seed);
      const throttle: Throttle = {
        lanes: STEPS[Math.floor(random() * 12)] ?? null,
        goodSamples: Math.floor(random() * 4),
        changedAt: at(-random() * 40),
        sampledAt: at(-random() * 70),
        slowed: random() < 0.5,
      };
      const given = { lanes: 8, throttle };
      const uses = Array.from({ length: 20 }, () => random() * 2.5).sort((one, other) => one - other);
      const lanes = uses.map((use) => decideThrottle([reading(use, T0)], given, T0).lanes ?? 0);
      expect(lanes).toEqual(lanes.toSorted((one, other) => other - one));
    }
  });
});

describe('readEffectiveLanes', () => {
  const decided: Throttle = { lanes: 3, goodSamples: 0, changedAt: T0, sampledAt: T0, slowed: false };

  test.each([
    ['is what was decided', decided, 4, 15, 3],
    ['is never above the setting', decided, 2, 0, 2],
    ['is none 15 s after the last sample', decided, 4, 15.001, 0],
    ['is none where the sample is of the future', decided, 4, -15.001, 0],
    ['is none before the first sample', UNDECIDED, 4, 0, 0],
  ])('%s', (_, throttle, lanes, seconds, effective) => {
    expect(readEffectiveLanes(throttle, lanes, at(seconds))).toBe(effective);
  });
});

test('a quarter of a lane rests three times as long as it works, and never for long', () => {
  expect([restAfter(150, 0.25), restAfter(150, 0.5), restAfter(150, 1), restAfter(150, 2)]).toEqual([450, 150, 0, 0]);
  expect(restAfter(60_000, 0.25)).toBe(10_000);
});
