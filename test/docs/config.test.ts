// The configurations that documents show against the parser, and the table of keys against the keys that there are.
import { describe, expect, test } from 'vitest';
import { listConfigKeys } from '../../scripts/docs/config-schema.js';
import { parseRolloutConfig } from '../../src/domain/config/parse-config.js';
import { listCode, readDocument, readTable, unquote } from './read-document.js';

const text = await readDocument('docs/reference/configuration.md');
const parse = (yaml: string): ReturnType<typeof parseRolloutConfig> =>
  parseRolloutConfig(yaml, { lookup: () => 'redis://localhost' });

describe('README.md', () => {
  test('shows a configuration of at most 12 lines that parses', async () => {
    const [yaml = ''] = listCode(await readDocument('README.md'), 'yaml');
    expect(parse(yaml).dataCenters.map(({ id }) => id)).toEqual(['in', 'eu']);
    expect(yaml.trimEnd().split('\n').length).toBeLessThanOrEqual(12);
  });
});

describe('docs/reference/configuration.md', () => {
  test('shows a configuration that parses', () => {
    const [yaml = ''] = listCode(text, 'yaml');
    expect(parse(yaml).dataCenters.map(({ id }) => id)).toEqual(['in', 'eu', 'us']);
    expect(parse(yaml).rollout.windows).toHaveLength(2);
  });

  test('lists every key of the configuration, and none that does not exist', () => {
    const documented = readTable(text, 'Keys').map(([key = '']) => unquote(key));
    expect(documented.toSorted()).toEqual(listConfigKeys().toSorted());
    expect(new Set(documented).size).toBe(documented.length);
  });

  test('states the defaults that the parser fills in', () => {
    const least =
      'controlDatabase: a\nrateCard: b\ndataCenters:\n  - { id: in, zone: UTC, database: c, source: d.e }\n';
    const { rollout, reconcile, grandfathering } = parseRolloutConfig(least, { lookup: () => undefined });
    const stated = new Map(readTable(text, 'Keys').map(([key = '', value]) => [unquote(key), value]));
    expect(stated.get('rollout.batchSize')).toBe(String(rollout.batchSize));
    expect(stated.get('rollout.lanes')).toBe(String(rollout.lanes));
    expect(stated.get('rollout.approval')).toBe(rollout.approval);
    expect(stated.get('rollout.planRetention')).toBe(`P${rollout.planRetentionDays}D`);
    expect(stated.get('rollout.guardRails.quarantinedShare')).toBe(String(rollout.guardRails.quarantinedShare));
    expect(stated.get('reconcile.at')).toBe(reconcile.at);
    expect(stated.get('reconcile.driftRetention')).toBe(`P${reconcile.driftRetentionDays}D`);
    expect(stated.get('grandfathering.lapseGrace')).toBe(`P${grandfathering.lapseGraceDays}D`);
  });
});
