// Coverage of golden cases: by the branch that a case takes, and what the shipped card must cover.
import { describe, expect, test } from 'vitest';
import { parseRateCard } from '../../../src/domain/rate-card/parse-rate-card.js';
import type { RateCard } from '../../../src/domain/rate-card/rate-card.js';
import { checkRateCard } from '../../../src/domain/rate-card-check/check-rate-card.js';
import { listPossibleBranches } from '../../../src/domain/rate-card-check/list-possible-branches.js';
import { listUncoveredBranches } from '../../../src/domain/rate-card-check/list-uncovered-branches.js';
import { sampleCard, sampleCardText } from '../rate-card/sample-card.js';

const editions = sampleCardText.slice(0, sampleCardText.indexOf('cases:'));
const withCases = (...cases: readonly string[]): RateCard =>
  parseRateCard(`${editions}cases:\n${cases.map((one) => `  - ${one}\n`).join('')}`);
const listOpen = (card: RateCard) => listUncoveredBranches(card).flatMap(({ uncovered }) => uncovered);

describe('listUncoveredBranches', () => {
  test('leaves everything open for a card without cases', () => {
    const card = parseRateCard(editions);
    expect(listOpen(card)).toEqual(listPossibleBranches(card));
    expect(listUncoveredBranches(card).map(({ edition }) => edition)).toEqual([...card.editions.keys()]);
  });

  test('closes the branch that a case takes, once, and no other', () => {
    const seats = (agents: number) => `{ org: { edition: standard, agents: ${agents} }, expect: { winner: legacy } }`;
    const card = withCases(seats(300), seats(400));
    const taken = {
      edition: 'standard',
      paid: true,
      winner: 'legacy',
      purchased: false,
      lightAgents: false,
      negotiated: false,
    };
    const open = listOpen(card);
    expect(open).toHaveLength(listPossibleBranches(card).length - 1);
    expect(open).not.toContainEqual(taken);
    expect(listUncoveredBranches(card).find(({ edition }) => edition === 'standard')).toMatchObject({ branches: 24 });
  });

  test('counts nothing for a case that cannot be decided', () => {
    const card = withCases('{ org: { edition: basic }, expect: { total_credits: 1 } }');
    expect(listOpen(card)).toEqual(listPossibleBranches(card));
  });
});

describe('the shipped card', () => {
  const findTotal = (edition: string, agents: bigint) =>
    sampleCard.cases
      .filter((one) => one.kind === 'org')
      .find(({ org }) => org.edition === edition && org.agents === agents)
      ?.expect.get('total_credits');

  test.each([
    ['professional', 10n, 80_000n],
    ['enterprise', 25n, 125_000n],
    ['standard', 0n, 50_000n],
    ['free', 40n, 5_000n],
  ])('has the example of the announcement: %s with %d agents', (edition, agents, total) => {
    expect(findTotal(edition, agents)).toBe(total);
  });

  test('has only cases that pass, each under its own name', () => {
    expect(checkRateCard(sampleCard)).toEqual([]);
    expect(new Set(sampleCard.cases.map(({ name }) => name)).size).toBe(sampleCard.cases.length);
  });

  test('covers every edition: unpaid, each winner, and each of the three extras alone', () => {
    const uncovered = listUncoveredBranches(sampleCard).flatMap((edition) => edition.uncovered);
    const extras = ({ purchased, lightAgents, negotiated }: (typeof uncovered)[number]) =>
      [purchased, lightAgents, negotiated].filter(Boolean).length;
    const missing = uncovered.filter(({ edition, paid }) => edition !== 'free' && paid);
    expect(missing.filter((branch) => extras(branch) < 2)).toEqual([]);
    expect(uncovered.filter((branch) => !branch.paid && extras(branch) === 0)).toEqual([]);
  });
});
