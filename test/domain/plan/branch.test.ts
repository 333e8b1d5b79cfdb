// Branches: an org's own, one key each, one order.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { branchKey, branchOf, compareBranches } from '../../../src/domain/plan/branch.js';
import type { Branch } from '../../../src/domain/plan/plan-report.js';
import { decide, expectDecided, makeOrg, makePrior } from '../org/sample-org.js';

const anyBranch: fc.Arbitrary<Branch> = fc.record({
  edition: fc.constantFrom('free', 'standard', 'standard,true', 'a"b'),
  paid: fc.boolean(),
  winner: fc.constantFrom('credits', 'legacy'),
  purchased: fc.boolean(),
  lightAgents: fc.boolean(),
  negotiated: fc.boolean(),
});

describe('branchOf', () => {
  test('names the branch of G7: paid, legacy, nothing else', () => {
    expect(branchOf(makePrior())).toEqual({
      edition: 'standard',
      paid: true,
      winner: 'legacy',
      purchased: false,
      lightAgents: false,
      negotiated: false,
    });
  });

  test.each([
    [{ paid: false }, { paid: false, winner: 'credits' }],
    [{ agents: 10n }, { winner: 'credits' }],
    [{ additionalCredits: 1n }, { purchased: true }],
    [{ lightAgents: 1n }, { lightAgents: true }],
    [{ negotiatedLimit: 0n }, { negotiated: true, winner: 'credits' }],
    [{ edition: 'zoho_one' }, { edition: 'zoho_one' }],
  ])('takes %o for %o', (inputs, part) => {
    const { allotment } = expectDecided(decide({ inputs: makeOrg(inputs) }));
    expect(branchOf(allotment)).toEqual({ ...branchOf(makePrior()), ...part });
  });
});

describe('branchKey', () => {
  test('is the same for equal branches and for no others', () => {
    fc.assert(
      fc.property(anyBranch, anyBranch, (one, other) => {
        expect(branchKey({ ...one })).toBe(branchKey(one));
        expect(branchKey(one) === branchKey(other)).toBe(compareBranches(one, other) === 0);
      }),
    );
  });
});

describe('compareBranches', () => {
  test('orders by edition, then paid first, credits first, and what is lacking first', () => {
    const plain: Branch = branchOf(makePrior({ agents: 10n }));
    const ordered: readonly Branch[] = [
      { ...plain, edition: 'express', paid: false },
      plain,
      { ...plain, negotiated: true },
      { ...plain, lightAgents: true },
      { ...plain, purchased: true },
      { ...plain, winner: 'legacy' },
      { ...plain, paid: false },
    ];
    expect(ordered.toReversed().sort(compareBranches)).toEqual(ordered);
  });

  test('is an order: swapped arguments reverse it', () => {
    fc.assert(
      fc.property(fc.array(anyBranch), (branches) => {
        const keys = (list: readonly Branch[]) => list.map(branchKey);
        const triaged = branches.toSorted(compareBranches);
        expect(keys(branches.toReversed().sort(compareBranches))).toEqual(keys(triaged));
      }),
    );
  });
});
