// A plan's counts: they add up, exactly, and see the traps.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countPlan, type PlanRest } from '../../../src/domain/plan/count-plan.js';
import { anyBranch, makeBranch, UNSHRUNK } from './sample-plan.js';

const rest: PlanRest = {
  quarantined: 4,
  maxRaiseFactor: 2.5,
  maxFloorOverPlan: null,
  protectedTouched: 1,
  staleLeftOut: 2,
  unpaidEdition: 'free',
};

describe('countPlan', () => {
  test('adds up branches and keeps what they do not count', () => {
    const branches = [
      makeBranch(),
      makeBranch({ winner: 'legacy', grandfathered: '25000', falling: 1 }),
      makeBranch({ edition: 'free', paid: false, falling: 3, first: 10, raises: 0, falls: 0 }),
    ];
    expect(countPlan(branches, rest)).toEqual({
      orgs: 34,
      first: 22,
      raises: 4,
      falls: 2,
      unchanged: 2,
      touched: 26,
      legacyWins: 10,
      paidFalling: 1,
      unpaidFalling: 3,
      traps: 0,
      quarantined: 4,
      before: '1500000',
      after: '1560000',
      planCredits: '1560000',
      grandfathered: '25000',
      maxRaiseFactor: 2.5,
      maxFloorOverPlan: null,
      protectedTouched: 1,
      staleLeftOut: 2,
    });
  });

  test('is all zero for a data center without orgs', () => {
    expect(countPlan([], { ...rest, quarantined: 0 })).toMatchObject({ orgs: 0, touched: 0, before: '0', after: '0' });
  });

  test('takes the caller for which paid orgs a write would lower', () => {
    const branches = [makeBranch({ falling: 7 })];
    expect(countPlan(branches, rest).paidFalling).toBe(7);
    expect(countPlan(branches, { ...rest, paidFalling: 0 }).paidFalling).toBe(0);
  });

  test.each([
    ['an unpaid org on a paid edition', { paid: false, edition: 'standard' }, 10],
    ['an unpaid org with a negotiated limit', { paid: false, edition: 'free', negotiated: true }, 10],
    ['an unpaid org with both, once', { paid: false, edition: 'standard', negotiated: true }, 10],
    ['a free org', { paid: false, edition: 'free' }, 0],
    ['a paid org with a negotiated limit', { paid: true, negotiated: true }, 0],
  ])('counts as traps: %s', (_, fields, traps) => {
    expect(countPlan([makeBranch(fields)], rest).traps).toBe(traps);
  });

  test('asks the card which edition the unpaid are on', () => {
    const branches = [makeBranch({ paid: false, edition: 'starter' })];
    expect(countPlan(branches, { ...rest, unpaidEdition: 'starter' }).traps).toBe(0);
    expect(countPlan(branches, rest).traps).toBe(10);
  });

  test('keeps sums exact beyond 2^53', () => {
    const branches = [makeBranch({ before: '9007199254740993' }), makeBranch({ before: '9223372036854775807' })];
    expect(countPlan(branches, rest).before).toBe('9232379236109516800');
  });

  test('loses no org and no credit, in whatever order and split the branches come', () => {
    fc.assert(
      fc.property(fc.array(anyBranch), fc.array(anyBranch), (some, others) => {
        const whole = countPlan([...some, ...others], rest);
        const [one, two] = [countPlan(some, rest), countPlan(others, rest)];
        expect(countPlan([...others, ...some], rest)).toEqual(whole);
        expect(whole.orgs).toBe(one.orgs + two.orgs - rest.quarantined);
        expect(whole.traps).toBe(one.traps + two.traps);
        for (const column of ['before', 'after', 'planCredits', 'grandfathered'] as const)
          expect(BigInt(whole[column])).toBe(BigInt(one[column]) + BigInt(two[column]));
        expect(whole.first + whole.raises + whole.falls + whole.unchanged + whole.quarantined).toBe(whole.orgs);
        expect(whole.paidFalling + whole.unpaidFalling).toBe(
          [...some, ...others].reduce((sum, { falling }) => sum + falling, 0),
        );
      }),
      UNSHRUNK,
    );
  });
});
