// The JSON Schemas that editors read: written by the code, and never against what the program accepts.
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { renderConfigReference, renderConfigSchema, renderRateCardSchema } from '../../scripts/docs/config-schema.js';
import { EMBEDDED_CONFIG } from '../../src/sample/config.js';
import { sampleCardText } from '../domain/rate-card/sample-card.js';
import { checkJson } from './json-schema-check.js';
import { readDocument } from './read-document.js';

const config: Record<string, unknown> = JSON.parse(renderConfigSchema());
const card: Record<string, unknown> = JSON.parse(renderRateCardSchema());
const checkConfig = (text: string): readonly string[] => checkJson(config, parse(text));

describe('docs/reference/rollout.config.schema.json', () => {
  test('is what `npm run docs` writes', async () => {
    expect(await readDocument('docs/reference/rollout.config.schema.json')).toBe(renderConfigSchema());
  });

  test('lets an editor accept the configuration of the embedded default', () => {
    expect(checkConfig(EMBEDDED_CONFIG)).toEqual([]);
  });

  const least = 'controlDatabase: a\nrateCard: b\ndataCenters: [{ id: in, zone: UTC, database: c, source: d }]\n';
  test.each([
    'signups:',
    `rollout: { batchSize: "\${BATCH}", lanes: "4", approval: "\${MODE}" }`,
    `rollout: { windows: [{ from: "22:00", to: "05:00", days: [mon, "\${DAY}"] }], guardRails: { quarantinedShare: 0.5 } }`,
    'reconcile: { at: "00:30", maxChanged: 10, driftRetention: P90D }',
  ])('lets an editor accept %s', (section) => {
    expect(checkConfig(`${least}${section}\n`)).toEqual([]);
  });

  test.each([
    ['batchSize: 5', '.batchSize: is not a key'],
    ['rollout: { lanes: 33 }', '.rollout.lanes: anyOf'],
    ['rollout: { lanes: many }', '.rollout.lanes: anyOf'],
    ['rollout: { approval: never }', '.rollout.approval: anyOf'],
    ['rollout: { windows: [{ from: "22:00" }] }', '.rollout.windows[0]: required ["from","to"]'],
    ['signups: { cutover: [2025-10-30] }', '.signups.cutover: type "string"'],
    ['dataCenters: []', '.dataCenters: minItems'],
  ])('lets an editor mark %s', (section, mark) => {
    const text = section.startsWith('dataCenters') ? least.replace(/dataCenters.*/, section) : `${least}${section}\n`;
    expect(checkConfig(text)).toEqual([expect.stringContaining(mark)]);
  });

  test('gives an editor the meaning of every key, and each default', () => {
    const table = renderConfigReference().split('\n');
    const cells = table.map((row) => row.split(' | ').map((cell) => cell.replaceAll('|', '').trim()));
    expect(cells.length).toBeGreaterThan(30);
    for (const [key = '', fallback = '', meaning = '', ...others] of cells) {
      expect([key, fallback, meaning].filter((cell) => cell === '' || cell.length > 80)).toEqual([]);
      expect(others).toEqual([]);
    }
  });
});

describe('docs/reference/rate-card.schema.json', () => {
  test('is what `npm run docs` writes', async () => {
    expect(await readDocument('docs/reference/rate-card.schema.json')).toBe(renderRateCardSchema());
  });

  test('lets an editor accept the sample card', () => {
    expect(checkJson(card, parse(sampleCardText))).toEqual([]);
  });

  test.each([
    ['base: 5000,', 'base: 5e15,', '.editions.free.credits.base: maximum'],
    ['{ flat: 5000 }', '{ flat: 5000, max: 1 }', '.editions.free.legacy: oneOf'],
    ['{ flat: 5000 }', '{ perUser: 1, min: 1 }', '.editions.free.legacy: oneOf'],
    ['concurrency: 5,', '', '.editions.free: required'],
    ['{ flat: 5000 }', '{ flats: 5000 }', '.editions.free.legacy.flats: is not a key'],
  ])('lets an editor mark %j -> %j', (from, to, mark) => {
    expect(checkJson(card, parse(sampleCardText.replace(from, to)))).toContainEqual(expect.stringContaining(mark));
  });
});
