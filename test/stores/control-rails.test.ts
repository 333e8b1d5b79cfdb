// The guard-rails in control's database against those that people are shown: the same verdict for any counts and
// limits.
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

const count = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 12 }) }, fc.nat({ max: 100_000 }));
const rare = fc.oneof({ weight: 19, arbitrary: fc.constant(0) }, fc.nat({ max: 2 }));
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

const PAIRS = 4_000;

test('the database says of a plan what the program shows, whatever its counts and limits are', async () => {
  const pairs = fc.sample(fc.tuple(plans, limits), PAIRS);
  const rows = await fleet.control(
    `select credit_rollout_control.inside_rails(p.pair -> 0, p.pair -> 1) as inside
     from jsonb_array_elements($1::jsonb) with ordinality p (pair, place) order by p.place`,
    [JSON.stringify(pairs)],
  );
  const shown = pairs.map(([counts, rails]) => isInsideRails(readGuardRails(counts, rails)));
  expect(pairs.filter((_, at) => rows[at]?.inside !== shown[at])).toEqual([]);
  // both verdicts are common, or the comparison would prove little
  const inside = shown.filter((one) => one).length;
  expect(Math.min(inside, PAIRS - inside)).toBeGreaterThan(PAIRS / 30);
});
