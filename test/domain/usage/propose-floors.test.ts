// Which orgs get a floor proposed from their usage, how much, and which are left to a person.
import { describe, expect, test } from 'vitest';
import { type MeasuredOrg, proposeFloors } from '../../../src/domain/usage/propose-floors.js';

const org = (changes: Partial<MeasuredOrg> = {}): MeasuredOrg => ({
  orgId: '1',
  edition: 'standard',
  peak: 130_000n,
  refused: 5n,
  wouldBeRefused: 0n,
  floor: null,
  planCredits: 125_000n,
  additional: 0n,
  total: 125_000n,
  isProtected: false,
  hasProposal: false,
  ...changes,
});
const TOTALS = { orgs: 100, total: 10_000_000n };
const RAILS = { quarantinedShare: 1 };
const propose = (orgs: readonly MeasuredOrg[], rails = {}, totals = TOTALS) =>
  proposeFloors(orgs, totals, { ...RAILS, ...rails });
const whyOf = (one: MeasuredOrg, rails = {}) => propose([one], rails).left[0]?.why ?? 'proposed to a person';

describe('proposeFloors', () => {
  test.each([
    [130_000n, 0n, 156_000n],
    [130_001n, 0n, 157_000n],
    [150_000n, 10_000n, 170_000n],
    [9_007_199_254_740_993n, 0n, 10_808_639_105_690_000n],
  ])('for a busiest day of %s and %s purchased, a floor of %s', (peak, additional, proposedFloor) => {
    const { proposals } = propose([org({ peak, additional })]);
    expect(proposals).toMatchObject([{ proposedFloor }]);
  });

  test.each([
    ['enough', org({ peak: 100_000n })],
    ['enough', org({ peak: 10_000n, additional: 50_000n })],
    ['protected', org({ isProtected: true })],
    ['proposed', org({ hasProposal: true })],
  ] as const)('leaves out, as %s', (why, one) => {
    expect(whyOf(one)).toBe(why);
  });

  test('leaves to a person what one org would be raised above the guard-rails', () => {
    const one = org({ peak: 250_000n });
    expect(whyOf(one, { maxRaiseFactor: 2.4 })).toBe('proposed to a person');
    expect(whyOf(one, { maxRaiseFactor: 2.39 })).toBe('factor');
    expect(whyOf(one, { floorOverPlan: 2.4 })).toBe('proposed to a person');
    expect(whyOf(one, { floorOverPlan: 2.39 })).toBe('floor_over_plan');
    expect(whyOf(org({ total: 0n, planCredits: 0n }), { maxRaiseFactor: 3 })).toBe('factor');
  });

  test('leaves out what all together would leave the guard-rails, in the order that they were given', () => {
    const orgs = ['1', '2', '3'].map((orgId) => org({ orgId }));
    expect(propose(orgs, { orgsTouched: 2 }).proposals.map(({ orgId }) => orgId)).toEqual(['1', '2']);
    const rails = { totalChangePercent: 10 };
    const { proposals, left } = propose(orgs, rails, { orgs: 3, total: 650_000n });
    expect([proposals.length, left]).toMatchObject([2, [{ orgId: '3', why: 'rails' }]]);
  });
});
