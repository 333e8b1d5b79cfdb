// The guard-rails in control's database against those that people are shown: the same verdict for any counts and limits.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GuardRails } from '../../src/domain/config/rollout-config.js';
import { isInsideRails, type MeasuredPlan, readGuardRails } from '../../src/domain/plan/guard-rails.js';
import { createFleet, type Fleet } from '../support/fleet.js';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await createFleet({ cells: [{ orgs: [] }] });
});
afterAll(() => fleet.drop());

const count = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 100_000 }));
const rare = fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat({ max: 2 }));
/** Near each other, and of any size. */
const sums = fc
  .tuple(fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, 10n ** 30n)), fc.integer({ min: -12, max: 12 }))
  .map(([before, percent]) => {
    const after = before + (before * BigInt(percent)) / 100n;
    return { before: String(before), after: String(after) };
  });
const factor = fc.oneof(
  fc.constant(null),
  fc.constantFrom(1, 2.5, 2.999999, 3, 3.000001, 1e21),
  fc.double({ min: 1, max: 4, noNaN: true }),
);
const plans: fc.Arbitrary<MeasuredPlan> = fc
  .record({
    orgs: count,
    touched: count,
    quarantined: count,
    protectedTouched: rare,
    paidFalling: rare,
    sums,
    maxRaiseFactor: factor,
    maxFloorOverPlan: factor,
  })
  .map(({ sums: { before, after }, ...counts }) => ({ ...counts, before, after }));
const limits: fc.Arbitrary<GuardRails> = fc.record(
  {
    maxRaiseFactor: fc.constantFrom(1, 2.5, 3),
    floorOverPlan: fc.constantFrom(1, 2.5, 3),
    totalChangePercent: fc.constantFrom(0, 0.1, 5, 10),
    orgsTouched: fc.constantFrom(0, 10, 50_000),
    quarantinedShare: fc.constantFrom(0, 0.01, 0.07, 0.5, 1),
  },
  { requiredKeys: ['quarantinedShare'] },
);

const PAIRS = 400;

test('the database says of a plan what the program shows, whatever its counts and limits are', async () => {
  const verdicts = { inside: 0, outside: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(plans, limits), { minLength: PAIRS, maxLength: PAIRS }), async (pairs) => {
      const rows = await fleet.control(
        `select credit_rollout_control.inside_rails(p.counts, p.rails) as inside
         from jsonb_to_recordset($1::jsonb) with ordinality p (counts jsonb, rails jsonb, place) order by place`,
        [JSON.stringify(pairs.map(([counts, rails]) => ({ counts, rails })))],
      );
      const expected = pairs.map(([counts, rails]) => isInsideRails(readGuardRails(counts, rails)));
      expect(rows.map(({ inside }) => inside)).toEqual(expected);
      for (const inside of expected) verdicts[inside ? 'inside' : 'outside'] += 1;
    }),
    { numRuns: 10 },
  );
  // both verdicts are common, or the comparison would prove little
  expect(Math.min(verdicts.inside, verdicts.outside)).toBeGreaterThan(PAIRS);
});
