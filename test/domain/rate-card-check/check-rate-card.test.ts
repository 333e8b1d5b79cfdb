import { describe, expect, test } from 'vitest';
import { parseRateCard } from '../../../src/domain/rate-card/parse-rate-card.js';
import { CASE_COLUMNS, type RateCard } from '../../../src/domain/rate-card/rate-card.js';
import { checkRateCard } from '../../../src/domain/rate-card-check/check-rate-card.js';
import { goldenCases } from '../org/golden-cases.js';
import { sampleCard, sampleCardText } from '../rate-card/sample-card.js';

const editions = sampleCardText.slice(0, sampleCardText.indexOf('cases:'));
const orgCasesOf = ({ cases }: RateCard) => cases.filter((one) => one.kind === 'org');
const withCases = (cases: string): ReturnType<typeof parseRateCard> => parseRateCard(`${editions}cases:\n${cases}\n`);

describe('checkRateCard', () => {
  test('finds nothing wrong with the sample card', () => {
    expect(checkRateCard(sampleCard)).toEqual([]);
  });

  test('has G1 to G16 of the table in the sample card, every term of them', () => {
    const shipped = orgCasesOf(sampleCard).map(({ name, org, expect: terms }) => ({
      id: name?.split(' ')[0],
      org,
      terms,
    }));
    const fromTable = goldenCases.slice(0, 16).map((golden) => ({
      id: golden.id,
      org: {
        edition: golden.edition,
        paid: golden.paid,
        agents: golden.agents,
        lightAgents: golden.lightAgents,
        additionalCredits: golden.additional,
        negotiatedLimit: golden.negotiated,
      },
      terms: new Map<string, unknown>([
        ['base_credits', golden.expect?.base],
        ['variable_credits', golden.expect?.variable],
        ['plan_credits', (golden.expect?.base ?? 0n) + (golden.expect?.variable ?? 0n)],
        ['legacy_limit', golden.expect?.legacyLimit],
        ['floor', golden.expect?.floor],
        ['grandfathered_credits', golden.expect?.grandfathered],
        ['total_credits', golden.expect?.total],
        ['winner', golden.expect?.winner],
        ['concurrency_limit', BigInt(golden.expect?.concurrency ?? 0)],
      ]),
    }));
    expect(shipped.slice(0, 16)).toEqual(fromTable);
  });

  test('returns what came out differently, by column', () => {
    const card = withCases(
      '  - { name: G7, org: { edition: standard, agents: 300 }, expect: { total_credits: 125000, winner: legacy, floor: null } }',
    );
    expect(checkRateCard(card)).toEqual([
      {
        kind: 'different',
        position: 1,
        name: 'G7',
        message: 'Case 1 (G7) fails: floor is 150000, expected null; total_credits is 150000, expected 125000.',
        differences: [
          { column: 'floor', expected: null, actual: 150_000n },
          { column: 'total_credits', expected: 125_000n, actual: 150_000n },
        ],
      },
    ]);
  });

  test('returns a case whose org cannot be decided', () => {
    const good =
      '  - { org: { edition: standard, agents: 10 }, expect: { plan_credits: 52500, total_credits: 52500 } }';
    const bad = '  - { org: { edition: basic }, expect: { total_credits: 1 } }';
    const message = 'Case 2 cannot be decided: unknown_edition.';
    const failed = { kind: 'undecidable', position: 2, name: null, message, reason: 'unknown_edition' };
    expect(checkRateCard(withCases(`${good}\n${bad}`))).toEqual([failed]);
  });

  test('can expect every column', () => {
    const known: Record<string, string> = {
      edition: 'standard',
      paid: 'true',
      agents: '300',
      light_agents: '1',
      negotiated_limit: '9007199254740993',
      base_credits: '50000',
      variable_credits: '75000',
      plan_credits: '125000',
      additional_credits: '7',
      legacy_limit: '9007199254740993',
      floor: '9007199254740993',
      floor_edition: 'standard',
      grandfathered_credits: '9007199254615993',
      total_credits: '9007199254741000',
      concurrency_limit: '10',
      winner: 'legacy',
    };
    const org =
      'edition: standard, agents: 300, light_agents: 1, legacy_limit: 9007199254740993, additional_credits: 7';
    const terms = CASE_COLUMNS.map(({ column }) => `${column}: ${known[column]}`).join(', ');
    expect(checkRateCard(withCases(`  - { org: { ${org} }, expect: { ${terms} } }`))).toEqual([]);
  });
});
