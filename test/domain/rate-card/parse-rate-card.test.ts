// The rate card: what the parser reads, which numbers and keys it rejects, and how editions rank.
import { describe, expect, test } from 'vitest';
import { parseRateCard } from '../../../src/domain/rate-card/parse-rate-card.js';
import { CARD, edit, errorOfCard } from './card-scene.js';
import { sampleCard } from './sample-card.js';

describe('parseRateCard', () => {
  test('reads the sample card exactly', () => {
    expect([...sampleCard.editions.keys()]).toEqual([
      'free',
      'express',
      'standard',
      'professional',
      'enterprise',
      'zoho_one',
      'crm_plus',
      'service_plus',
    ]);
    expect(sampleCard.editions.get('standard')).toEqual({
      edition: 'standard',
      base: 50_000n,
      perAgent: 250n,
      concurrency: 10,
      legacy: { kind: 'perUser', perUser: 500n, min: 25_000n, max: 250_000n },
      rank: 2,
    });
    expect(sampleCard).toMatchObject({ name: 'desk-2025-10', lightAgentsCountAsUsers: true, unpaid: 'free' });
    expect(sampleCard.cases).toHaveLength(98);
  });

  test('takes 200 editions with names of 200 characters, and names the limits where there is more', () => {
    const rates = '{ credits: { base: 1, perAgent: 0 }, concurrency: 1, legacy: { flat: 1 } }';
    const list = (count: number, name = 'x'): string =>
      Array.from({ length: count }, (_, at) => `  ${name}${at}: ${rates}\n`).join('');
    expect(parseRateCard(CARD + list(198)).editions.size).toBe(200);
    expect(errorOfCard(CARD + list(199))).toMatchObject({
      code: 'invalid_rate_card',
      message: 'editions (line 6 of the rate card) must have at most 200 editions.',
      next: 'Join editions with the same rates in a view, under one name.',
    });
    expect(parseRateCard(CARD + list(1, '😀'.repeat(199))).editions.size).toBe(3);
    expect(errorOfCard(CARD + list(1, '😀'.repeat(200)))).toMatchObject({
      code: 'invalid_rate_card',
      message: expect.stringMatching(/^editions\..* \(line 11 of the rate card\) cannot be a name\.$/u),
      next: expect.stringContaining('at most 200 characters'),
    });
  });

  test('reads anchors and aliases', () => {
    const text = `${edit('standard:', 'standard: &rates')}  bundle: *rates\n`;
    const card = parseRateCard(text);
    expect(card.editions.get('bundle')).toEqual({ ...card.editions.get('standard'), edition: 'bundle' });
  });

  test('reads JSON, a byte order mark and Windows line ends', () => {
    const json = JSON.stringify({
      name: 'test',
      lightAgentsCountAsUsers: true,
      unpaid: 'free',
      editions: {
        free: { credits: { base: 5000, perAgent: 0 }, concurrency: 5, legacy: { flat: 5000 } },
        standard: {
          credits: { base: 50000, perAgent: 250 },
          concurrency: 10,
          legacy: { perUser: 500, min: 25000, max: 250000 },
        },
      },
    });
    const { hash } = parseRateCard(CARD);
    expect(parseRateCard(json).hash).toBe(hash);
    expect(parseRateCard(`\uFEFF${CARD.replaceAll('\n', '\r\n')}`).hash).toBe(hash);
  });

  test('accepts every bound', () => {
    const widest = edit(
      '{ perUser: 500, min: 25000, max: 250000 }',
      '{ perUser: 1000000000, min: 0, max: 1000000000000000 }',
    )
      .replace('perAgent: 250', 'perAgent: 1000000000')
      .replace('base: 50000', 'base: 1000000000000000')
      .replace('concurrency: 10', 'concurrency: 1000000')
      .replace('concurrency: 5', 'concurrency: 1')
      .replace('flat: 5000', 'flat: 0');
    expect(parseRateCard(widest).editions.get('standard')).toMatchObject({ base: 10n ** 15n, perAgent: 10n ** 9n });
  });

  test.each([
    '50000.0',
    '5e4',
    '5E4',
    '0xC350',
    '0o141520',
    '050000',
    '50_000',
    '+50000',
    '-0',
    '-1',
    '.inf',
    '.nan',
    '1000000000000001',
    '9007199254740993',
    '99999999999999999999999999',
    '!!int 0xC350',
    '1:30',
    '50000k',
    '2025-10-06',
  ])('rejects base: %s as inexact', (written) => {
    const error = errorOfCard(edit('base: 50000', `base: ${written}`));
    expect(error).toMatchObject({ code: 'inexact_number', exitCode: 1 });
    expect(error.message).toContain('editions.standard.credits.base');
  });

  test.each([
    ['perAgent: 250', 'perAgent: 1000000001'],
    ['perUser: 500', 'perUser: 1000000001'],
    ['min: 25000', 'min: 1000000000000001'],
    ['max: 250000', 'max: 1000000000000001'],
    ['flat: 5000', 'flat: 1000000000000001'],
    ['concurrency: 10', 'concurrency: 0'],
    ['concurrency: 10', 'concurrency: 1000001'],
  ])('rejects %s -> %s beyond its bounds', (from, to) => {
    expect(errorOfCard(edit(from, to)).code).toBe('inexact_number');
  });

  test.each([
    ['base: 50000', 'base: "50000"', 'editions.standard.credits.base'],
    ['base: 50000', 'base: many', 'is "many", but it must be a plain whole number from 0 to 1000000000000000'],
    ['base: 50000', 'base:', 'editions.standard.credits.base (line 7 of the rate card) is empty'],
    ['base: 50000', 'base: true', 'is true, but it must be a plain whole number'],
    ['base: 50000', 'base: [50000]', 'is a list, but it must be a plain whole number'],
    ['base: 50000', 'base: !!float 50000', 'YAML'],
    ['base: 50000', 'base: *nowhere', '&nowhere'],
    ['base: 50000, ', '', 'editions.standard.credits.base is missing from the rate card.'],
    ['    concurrency: 10\n', '', 'editions.standard.concurrency is missing'],
    [
      '{ perUser: 500, min: 25000, max: 250000 }',
      '{ perUser: 500, min: 25000 }',
      'editions.standard.legacy.max is missing',
    ],
    [
      '{ flat: 5000 }',
      '{ flat: 5000, max: 1 }',
      'editions.free.legacy (line 5 of the rate card) must have either flat or',
    ],
    ['{ flat: 5000 }', '{}', 'editions.free.legacy (line 5 of the rate card) must have either flat or'],
    ['min: 25000', 'min: 250001', 'has min 250001 above max 250000'],
    ['base: 50000', 'base: 50,000', 'editions.standard.credits.0 (line 7) is not a key'],
    ['name: test', 'name: 2025', 'is 2025, but it must be a text; put it in quotes'],
    ['name: test', 'name: ""', 'empty'],
    ['name: test', 'name: "a\\0b"', 'control characters'],
    ['name: test\n', '', 'name is missing'],
    ['lightAgentsCountAsUsers: true', 'lightAgentsCountAsUsers: yes', 'is "yes", but it must be true or false'],
    [
      'unpaid: free',
      'unpaid: trial',
      'unpaid (line 3 of the rate card) is "trial", but it must be the name of an edition',
    ],
    ['  standard:', '  ? [a]\n  :', 'editions.[list] (line 8 of the rate card) cannot be a name'],
    ['  standard:', '  true:', 'editions.true (line 7 of the rate card) cannot be a name'],
    ['  standard:', '  free:', 'unique'],
    ['  standard:', '  "free":', 'unique'],
    ['perAgent: 250', 'perAgent: 250, perAgent: 250', 'unique'],
    ['name: test', '%YAML 1.1\n---\nname: test', 'YAML 1.1'],
    ['name: test', 'name: test\n---\nname: test', 'YAML'],
    ['name: test', 'name: !secret test', 'YAML'],
    ['name: test', 'name: [', 'YAML'],
  ])('rejects %j -> %j', (from, to, message) => {
    const error = errorOfCard(edit(from, to).trimStart());
    expect(error.code).toBe('invalid_rate_card');
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('\n');
  });

  test.each([
    ['perAgent: 250', 'perAgents: 250', 'editions.NAME.credits.perAgent'],
    ['lightAgentsCountAsUsers', 'lightAgentCountsAsUsers', 'lightAgentsCountAsUsers'],
    ['concurrency: 10', 'Concurrency: 10', 'editions.NAME.concurrency'],
    ['unpaid:', 'unpayed:', 'unpaid'],
  ])('suggests the key for %j -> %j', (from, to, suggestion) => {
    expect(errorOfCard(edit(from, to))).toMatchObject({
      code: 'invalid_rate_card',
      message: expect.stringMatching(/ is not a key of the rate card; did you mean /),
      next: expect.stringContaining(`Write ${suggestion}, or remove the key.`),
    });
  });

  test('lists the keys when none is near', () => {
    const { next } = errorOfCard(`${CARD}currency: EUR\n`);
    expect(next).toBe(
      'Remove the key. The keys here are name, lightAgentsCountAsUsers, unpaid, editions, costs, cases.',
    );
  });

  test.each(['', '# nothing', '[]', 'text', 'editions: {}', '{}'])('rejects %j', (text) => {
    expect(errorOfCard(text).code).toBe('invalid_rate_card');
  });

  test('rejects a card without editions', () => {
    const head = 'name: a\nlightAgentsCountAsUsers: true\nunpaid: free\n';
    expect(errorOfCard(`${head}editions: {}`).message).toContain('must have an edition');
  });

  test('ranks editions by base, then per agent, and equal ones alike', () => {
    const ranks = [...sampleCard.editions.values()].map(({ edition, rank }) => `${edition} ${rank}`);
    expect(ranks).toEqual([
      'free 0',
      'express 1',
      'standard 2',
      'professional 3',
      'enterprise 4',
      'zoho_one 4',
      'crm_plus 4',
      'service_plus 4',
    ]);
    const tied = parseRateCard(edit('base: 5000, perAgent: 0', 'base: 50000, perAgent: 251'));
    expect([...tied.editions.values()].map(({ rank }) => rank)).toEqual([1, 0]);
  });
});
