// The README's configuration against the parser, and its table of keys against the keys that there are.
import { describe, expect, test } from 'vitest';
import { listConfigKeys } from '../../scripts/docs/config-schema.js';
import { parseRolloutConfig } from '../../src/domain/config/parse-config.js';
import { listSections, readDocument, readTable, unquote } from './read-document.js';

const text = await readDocument('README.md');

function findYaml(heading: string): string {
  const lines =
    listSections(text)
      .find((section) => section.heading === heading)
      ?.lines.join('\n') ?? '';
  const yaml = /```yaml\n([\s\S]*?)```/u.exec(lines)?.[1];
  if (yaml === undefined) throw new Error(`no configuration under "${heading}"`);
  return yaml;
}

describe('README.md', () => {
  test('shows a configuration that parses', () => {
    const config = parseRolloutConfig(findYaml('2. The configuration'), { lookup: () => 'redis://localhost' });
    expect(config.dataCenters.map(({ id }) => id)).toEqual(['in', 'eu', 'us']);
    expect(config.rollout.windows).toHaveLength(2);
  });

  test('lists every key of the configuration, and none that does not exist', () => {
    const documented = readTable(text, 'Every key').map(([key = '']) => unquote(key));
    expect(documented.toSorted()).toEqual(listConfigKeys().toSorted());
    expect(new Set(documented).size).toBe(documented.length);
  });

  test('states the defaults that the parser fills in', () => {
    const least =
      'controlDatabase: a\nrateCard: b\ndataCenters:\n  - { id: in, zone: UTC, database: c, source: d.e }\n';
    const { rollout, reconcile, grandfathering } = parseRolloutConfig(least, { lookup: () => undefined });
    const stated = new Map(readTable(text, 'Every key').map(([key = '', value]) => [unquote(key), value]));
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
