// What a card can produce: against random orgs, random cards, and cards whose branches are known.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { branchKey, branchOf } from '../../../src/domain/plan/branch.js';
import { createRateCard } from '../../../src/domain/rate-card/create-rate-card.js';
import type { CaseOrg, LegacyRates, RateCard } from '../../../src/domain/rate-card/rate-card.js';
import { decideCase } from '../../../src/domain/rate-card-check/check-rate-card.js';
import { listPossibleBranches } from '../../../src/domain/rate-card-check/list-possible-branches.js';
import { sampleCard } from '../rate-card/sample-card.js';

interface Rates {
  readonly base: bigint;
  readonly perAgent: bigint;
  readonly legacy: LegacyRates;
  readonly light?: boolean;
}

/** A card with one edition. */
function makeCard({ base, perAgent, legacy, light = true }: Rates): RateCard {
  const editions = [{ edition: 'only', base, perAgent, concurrency: 1, legacy }];
  return createRateCard({
    name: 'test',
    lightAgentsCountAsUsers: light,
    unpaid: 'only',
    editions,
    costs: new Map(),
    cases: [],
  });
}

const perUser = (each: bigint, min: bigint, max: bigint): LegacyRates => ({ kind: 'perUser', perUser: each, min, max });

/** The winners among paid orgs without a negotiated limit, by light agents. */
function listWinners(card: RateCard, lightAgents: boolean): readonly string[] {
  const own = listPossibleBranches(card).filter(
    (branch) => branch.paid && !branch.negotiated && !branch.purchased && branch.lightAgents === lightAgents,
  );
  return own.map(({ winner }) => winner);
}

const rate = fc.bigInt({ min: 0n, max: 60n });
const anyRates: fc.Arbitrary<Rates> = fc.record({
  base: fc.bigInt({ min: 0n, max: 300n }),
  perAgent: rate,
  light: fc.boolean(),
  legacy: fc.oneof(
    fc.record({ kind: fc.constant('flat' as const), flat: fc.bigInt({ min: 0n, max: 600n }) }),
    fc
      .tuple(rate, fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: 600n }))
      .map(([each, min, more]) => perUser(each, min, min + more)),
  ),
});

describe('listPossibleBranches', () => {
  test('gives the unpaid nothing but credits, and every edition in the order of the card', () => {
    const branches = listPossibleBranches(sampleCard);
    expect(branches.filter(({ paid, winner }) => !paid && winner === 'legacy')).toEqual([]);
    expect([...new Set(branches.map(({ edition }) => edition))]).toEqual([...sampleCard.editions.keys()]);
    expect(branches.filter(({ paid }) => !paid)).toHaveLength(8 * sampleCard.editions.size);
  });

  test('knows that legacy beats the credits of free by a negotiated limit only', () => {
    const free = listPossibleBranches(sampleCard).filter(({ edition, paid }) => edition === 'free' && paid);
    const legacy = free.filter(({ winner }) => winner === 'legacy');
    expect(legacy.map(({ negotiated }) => negotiated)).toEqual([true, true, true, true]);
    expect(free).toHaveLength(12);
  });

  test.each([
    [
      'the formula never reaches the credits',
      { base: 100n, perAgent: 5n, legacy: perUser(5n, 0n, 1_000n) },
      ['credits'],
      ['credits', 'legacy'],
    ],
    [
      'light agents do not count',
      { base: 100n, perAgent: 5n, legacy: perUser(5n, 0n, 1_000n), light: false },
      ['credits'],
      ['credits'],
    ],
    [
      'the least legacy limit is higher and agents add nothing',
      { base: 10n, perAgent: 0n, legacy: perUser(1n, 11n, 20n) },
      ['legacy'],
      ['legacy'],
    ],
    [
      'one user is too many',
      { base: 10n, perAgent: 0n, legacy: perUser(11n, 0n, 20n) },
      ['credits', 'legacy'],
      ['legacy'],
    ],
    [
      'only the corner at the greatest limit wins',
      { base: 99n, perAgent: 9n, legacy: perUser(10n, 0n, 1_000n) },
      ['credits', 'legacy'],
      ['credits', 'legacy'],
    ],
    [
      'agents add nothing and one light agent is not too many',
      { base: 10n, perAgent: 0n, legacy: perUser(1n, 0n, 20n) },
      ['credits', 'legacy'],
      ['credits', 'legacy'],
    ],
    [
      'only the size just below the greatest limit wins',
      { base: 599n, perAgent: 4n, legacy: perUser(10n, 0n, 1_001n) },
      ['credits', 'legacy'],
      ['credits', 'legacy'],
    ],
    [
      'only the size that is cut to the greatest limit wins',
      { base: 600n, perAgent: 4n, legacy: perUser(10n, 0n, 1_005n) },
      ['credits', 'legacy'],
      ['credits', 'legacy'],
    ],
    [
      'a flat limit above the base',
      { base: 10n, perAgent: 1n, legacy: { kind: 'flat', flat: 11n } },
      ['credits', 'legacy'],
      ['credits', 'legacy'],
    ],
    [
      'a flat limit at the base',
      { base: 10n, perAgent: 0n, legacy: { kind: 'flat', flat: 10n } },
      ['credits'],
      ['credits'],
    ],
  ] as const)('finds the winners when %s', (_, rates, without, withLight) => {
    expect(listWinners(makeCard(rates), false)).toEqual(without);
    expect(listWinners(makeCard(rates), true)).toEqual(withLight);
  });

  test('has the branch of every org under every card', () => {
    const size = fc.bigInt({ min: 0n, max: 700n });
    const anyOrg: fc.Arbitrary<CaseOrg> = fc.record({
      edition: fc.constant('only'),
      paid: fc.boolean(),
      agents: size,
      lightAgents: size,
      additionalCredits: fc.constantFrom(0n, 5n),
      negotiatedLimit: fc.option(fc.bigInt({ min: 0n, max: 2_000n })),
    });
    fc.assert(
      fc.property(anyRates, fc.array(anyOrg, { minLength: 1, maxLength: 30 }), (rates, orgs) => {
        const card = makeCard(rates);
        const possible = new Set(listPossibleBranches(card).map(branchKey));
        for (const org of orgs) {
          const decision = decideCase(card, org);
          if (decision.kind === 'quarantine') throw new Error(decision.reason);
          expect(possible).toContain(branchKey(branchOf(decision.allotment)));
        }
      }),
    );
  });

  test('lists each branch once, and finds every crossing that trying all sizes finds', () => {
    fc.assert(
      fc.property(anyRates, (rates) => {
        const card = makeCard(rates);
        const keys = listPossibleBranches(card).map(branchKey);
        expect(new Set(keys).size).toBe(keys.length);
        const tried = Array.from({ length: 1_000 }, (_, agents) =>
          decideCase(card, {
            edition: 'only',
            paid: true,
            agents: BigInt(agents),
            lightAgents: 0n,
            additionalCredits: 0n,
            negotiatedLimit: null,
          }),
        );
        const winners = new Set(tried.flatMap((one) => (one.kind === 'decided' ? [one.allotment.winner] : [])));
        expect(listWinners(card, false)).toEqual([...winners].sort());
      }),
      { numRuns: 60 },
    );
  });

  test('copes with the greatest rates that a card may have', () => {
    const card = makeCard({ base: 10n ** 15n, perAgent: 1n, legacy: perUser(1n, 0n, 10n ** 15n) });
    expect(listWinners(card, false)).toEqual(['credits']);
    const other = makeCard({ base: 0n, perAgent: 1n, legacy: perUser(10n ** 9n, 10n ** 15n, 10n ** 15n) });
    expect(listWinners(other, false)).toEqual(['credits', 'legacy']);
  });
});
