// The cases in a rate card, and its hash.
import { describe, expect, test } from 'vitest';
import { parseRateCard } from '../../../src/domain/rate-card/parse-rate-card.js';
import { CARD, edit, errorOfCard } from './card-scene.js';
import { sampleCardText } from './sample-card.js';

describe('parseRateCard on cases', () => {
  const withCase = (golden: string): string => `${CARD}cases:\n  - ${golden}\n`;

  test('fills in what a case leaves out', () => {
    const { cases } = parseRateCard(
      withCase('{ org: { edition: standard }, expect: { floor: null, winner: credits } }'),
    );
    const org = {
      edition: 'standard',
      paid: true,
      agents: 0n,
      lightAgents: 0n,
      additionalCredits: 0n,
      negotiatedLimit: null,
    };
    expect(cases).toEqual([
      {
        kind: 'org',
        name: null,
        org,
        expect: new Map<string, unknown>([
          ['floor', null],
          ['winner', 'credits'],
        ]),
      },
    ]);
  });

  test('keeps numbers beyond 2^53 exact', () => {
    const { cases } = parseRateCard(
      withCase('{ org: { edition: free, legacy_limit: 9007199254740993 }, expect: { floor: 9223372036854775807 } }'),
    );
    const [golden] = cases.filter((one) => one.kind === 'org');
    expect(golden?.org.negotiatedLimit).toBe(9_007_199_254_740_993n);
    expect(golden?.expect.get('floor')).toBe(2n ** 63n - 1n);
  });

  test.each([
    ['{ org: { edition: free, agents: 1e3 }, expect: { floor: 1 } }', 'inexact_number', 'cases[0].org.agents'],
    ['{ org: { edition: free }, expect: { floor: 9223372036854775808 } }', 'inexact_number', 'cases[0].expect.floor'],
    ['{ org: { edition: free }, expect: {} }', 'invalid_rate_card', 'cases[0].expect'],
    ['{ org: { edition: free } }', 'invalid_rate_card', 'cases[0].expect is missing'],
    ['{ org: { agents: 1 }, expect: { floor: 1 } }', 'invalid_rate_card', 'cases[0].org.edition'],
    ['{ org: { edition: free, agent: 1 }, expect: { floor: 1 } }', 'invalid_rate_card', 'cases[0].org.agent'],
    ['{ org: { edition: free }, expect: { total_credit: 1 } }', 'invalid_rate_card', 'cases[0].expect.total_credit'],
    [
      '{ org: { edition: free }, expect: { total_credits: null } }',
      'invalid_rate_card',
      'cases[0].expect.total_credits',
    ],
    ['{ expect: { credits: 1 } }', 'invalid_rate_card', 'must have either org or call'],
    [
      '{ org: { edition: free }, call: { kind: get }, expect: { credits: 1 } }',
      'invalid_rate_card',
      'must have either org or call',
    ],
    ['{ org: { edition: free }, expect: { credits: 1 } }', 'invalid_rate_card', 'cases[0].expect.credits'],
    ['{ call: { kind: get }, expect: { floor: 1 } }', 'invalid_rate_card', 'cases[0].expect'],
    ['{ call: { kind: get, credits: 1 }, expect: { credits: 1 } }', 'invalid_rate_card', 'cases[0].call.credits'],
    ['{ call: { kind: Get }, expect: { credits: 1 } }', 'invalid_rate_card', 'cases[0].call.kind'],
    ['{ call: { kind: get, from: -1 }, expect: { credits: 1 } }', 'inexact_number', 'cases[0].call.from'],
  ] as const)('rejects %s', (golden, code, path) => {
    const error = errorOfCard(withCase(golden));
    expect(error.code).toBe(code);
    expect(error.message).toContain(path);
  });
});

describe('the hash of a card', () => {
  test('is 16 hex digits and ignores the name, the cases, comments and the order of editions', () => {
    const { hash } = parseRateCard(CARD);
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    const [head = '', free = '', ...standard] = CARD.split(/(?<=editions:\n)|(?=^ {2}\w)/m);
    const turned = `${head.replace('name: test', 'name: other # renamed')}${standard.join('')}${free}`;
    const withCases = `${turned}cases: [{ org: { edition: free }, expect: { paid: true } }]\n`;
    expect(parseRateCard(withCases)).toMatchObject({ name: 'other', hash });
    expect([...parseRateCard(withCases).editions.keys()]).toEqual(['standard', 'free']);
  });

  test.each([
    ['base: 50000', 'base: 50001'],
    ['perAgent: 250', 'perAgent: 251'],
    ['concurrency: 10', 'concurrency: 11'],
    ['perUser: 500', 'perUser: 501'],
    ['min: 25000', 'min: 25001'],
    ['max: 250000', 'max: 250001'],
    ['flat: 5000', 'flat: 5001'],
    ['{ flat: 5000 }', '{ perUser: 0, min: 5000, max: 5000 }'],
    ['unpaid: free', 'unpaid: standard'],
    ['lightAgentsCountAsUsers: true', 'lightAgentsCountAsUsers: false'],
    ['  standard:', '  Standard:'],
  ])('changes with %j -> %j', (from, to) => {
    expect(parseRateCard(edit(from, to)).hash).not.toBe(parseRateCard(CARD).hash);
  });

  test('is pinned: stored hashes depend on it', () => {
    expect(parseRateCard(sampleCardText).hash).toBe('9c972f30a0693416');
  });

  test('is what it was before there were costs, for a card that has none', () => {
    const [rates = '', others = ''] = sampleCardText.split(/^costs:$/mu);
    const orgCases = others.slice(others.indexOf('cases:'), others.indexOf('  - name: "get: one record"'));
    expect(parseRateCard(`${rates}${orgCases}`).hash).toBe('0888ebcda7cecffe');
  });

  test('changes with a price, a step and a kind, and not with their order', () => {
    const hashOf = (costs: string): string => parseRateCard(`${CARD}costs: { ${costs} }\n`).hash;
    const get = 'get: { credits: 1 }';
    const list = 'list: { byLastIndex: [{ to: 9, credits: 3 }], beyond: 5 }';
    expect(hashOf(`${list}, ${get}`)).toBe(hashOf(`${get}, ${list}`));
    const hashes = [
      '',
      get,
      `${get}, ${list}`,
      `${get}, ${list.replace('3', '4')}`,
      `${get}, ${list.replace('9', '8')}`,
      `${get}, ${list.replace('5', '6')}`,
      'get: { credits: 2 }',
      'get: { credits: 1, perRecords: 1 }',
      'find: { credits: 1 }',
    ].map(hashOf);
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
