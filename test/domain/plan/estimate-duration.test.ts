// How long an apply takes: by what was measured, and honest about what was not.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DurationQuestion, estimateDuration } from '../../../src/domain/plan/estimate-duration.js';

/** A batch of ten thousand in 2 s, and planning at 0.05 ms an org. */
const batch = { durationMs: 2_000, orgs: 10_000 };
const question: DurationQuestion = {
  orgs: 100_000,
  batches: [batch, batch, { durationMs: 3_000, orgs: 10_000 }],
  batchOrgs: 10_000,
  lanes: 2,
  planning: { durationMs: 5_000, orgs: 100_000 },
};

describe('estimateDuration', () => {
  test('takes median and ninetieth percentile of earlier batches', () => {
    expect(estimateDuration(question)).toEqual({ p50Ms: 10_000, p90Ms: 15_000, basis: 'batches' });
  });

  test('scales batches of another size to the ones that will run', () => {
    const batches = question.batches.map(({ durationMs, orgs }) => ({ durationMs: durationMs / 2, orgs: orgs / 2 }));
    expect(estimateDuration({ ...question, batches })).toEqual(estimateDuration(question));
  });

  test('leaves the canary and the last, short batch aside', () => {
    const small = [
      { durationMs: 1_000, orgs: 10 },
      { durationMs: 1_900, orgs: 4_000 },
      { durationMs: 5, orgs: 0 },
    ];
    expect(estimateDuration({ ...question, batches: [...small, ...question.batches] })).toEqual(
      estimateDuration(question),
    );
  });

  test('counts three times the planning for want of batches, and as if lanes won nothing', () => {
    const few = { ...question, batches: question.batches.slice(0, 2) };
    expect(estimateDuration(few)).toEqual({ p50Ms: 7_500, p90Ms: 15_000, basis: 'planning' });
    expect(estimateDuration({ ...few, lanes: 5 })).toEqual({ p50Ms: 3_000, p90Ms: 15_000, basis: 'planning' });
    expect(estimateDuration({ ...few, lanes: 1 })).toEqual({ p50Ms: 15_000, p90Ms: 30_000, basis: 'planning' });
  });

  test('counts only the orgs that are to be written', () => {
    const few = { ...question, batches: [], orgs: 10_000 };
    expect(estimateDuration(few)).toEqual({ p50Ms: 750, p90Ms: 1_500, basis: 'planning' });
  });

  test.each(['batches', 'planning'] as const)('is nothing when nothing is written, by %s', (basis) => {
    const batches = basis === 'batches' ? question.batches : [];
    expect(estimateDuration({ ...question, orgs: 0, batches })).toEqual({ p50Ms: 0, p90Ms: 0, basis });
  });

  test('is nothing when planning read no org', () => {
    const planning = { durationMs: 20, orgs: 0 };
    expect(estimateDuration({ ...question, orgs: 0, batches: [], planning })).toMatchObject({ p50Ms: 0, p90Ms: 0 });
  });

  test('is a range of whole milliseconds that grows with the orgs', () => {
    const measured = fc.record({ durationMs: fc.nat(100_000), orgs: fc.nat(20_000) });
    fc.assert(
      fc.property(
        fc.array(measured),
        fc.nat(5_000_000),
        fc.nat(5_000_000),
        fc.integer({ min: 1, max: 32 }),
        (...args) => {
          const [batches, some, more, lanes] = args;
          const less = estimateDuration({ ...question, batches, lanes, orgs: some });
          const whole = estimateDuration({ ...question, batches, lanes, orgs: some + more });
          for (const { p50Ms, p90Ms } of [less, whole]) {
            expect(Number.isInteger(p50Ms) && Number.isInteger(p90Ms)).toBe(true);
            expect(p50Ms).toBeGreaterThanOrEqual(0);
            expect(p90Ms).toBeGreaterThanOrEqual(p50Ms);
          }
          expect(whole.p50Ms).toBeGreaterThanOrEqual(less.p50Ms);
          expect(whole.p90Ms).toBeGreaterThanOrEqual(less.p90Ms);
        },
      ),
    );
  });
});
