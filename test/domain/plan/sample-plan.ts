// Counts, branches and arbitraries for the tests of plans: only the fields that matter need be named.
import fc from 'fast-check';
import type { GuardRails } from '../../../src/domain/config/rollout-config.js';
import type { BranchCount, PlanCounts } from '../../../src/domain/plan/plan-report.js';

/** A plan that is inside every limit of `everyRail`. */
export function makeCounts(fields: Partial<PlanCounts> = {}): PlanCounts {
  return {
    orgs: 10_000,
    first: 9_000,
    raises: 500,
    falls: 100,
    unchanged: 350,
    touched: 9_500,
    legacyWins: 2_000,
    paidFalling: 0,
    unpaidFalling: 40,
    traps: 3,
    quarantined: 50,
    before: '1000000',
    after: '1040000',
    planCredits: '900000',
    grandfathered: '140000',
    maxRaiseFactor: 2.5,
    maxFloorOverPlan: 2,
    protectedTouched: 0,
    staleLeftOut: 0,
    ...fields,
  };
}

/** Every limit that can be configured. */
export const everyRail: GuardRails = {
  maxRaiseFactor: 3,
  floorOverPlan: 3,
  totalChangePercent: 5,
  orgsTouched: 10_000,
  quarantinedShare: 0.01,
};

export function makeBranch(fields: Partial<BranchCount> = {}): BranchCount {
  return {
    edition: 'standard',
    paid: true,
    winner: 'credits',
    purchased: false,
    lightAgents: false,
    negotiated: false,
    orgs: 10,
    first: 6,
    raises: 2,
    falls: 1,
    falling: 0,
    before: '500000',
    after: '520000',
    planCredits: '520000',
    grandfathered: '0',
    ...fields,
  };
}

/**
 * For properties of big sums: where a failure depends on one exact relation, shrinking takes one credit at a time for
 * ever.
 */
export const UNSHRUNK = { endOnFailure: true } as const;

/** A sum of credits, far beyond 2^53. */
export const anySum = fc.bigInt({ min: 0n, max: 10n ** 30n });

/** A branch that adds up: its first decisions, raises and falls are among its orgs. */
export const anyBranch: fc.Arbitrary<BranchCount> = fc
  .record({
    edition: fc.constantFrom('free', 'standard', 'enterprise'),
    paid: fc.boolean(),
    winner: fc.constantFrom('credits', 'legacy'),
    purchased: fc.boolean(),
    lightAgents: fc.boolean(),
    negotiated: fc.boolean(),
    first: fc.nat(10_000),
    raises: fc.nat(10_000),
    falls: fc.nat(10_000),
    same: fc.nat(10_000),
    falling: fc.nat(10_000),
    before: anySum.map(String),
    after: anySum.map(String),
    planCredits: anySum.map(String),
    grandfathered: anySum.map(String),
  })
  .map(({ same, ...branch }) => ({ ...branch, orgs: branch.first + branch.raises + branch.falls + same }));
