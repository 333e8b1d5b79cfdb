// A variable in any value of the configuration: its value is never shown, whatever is wrong with it.
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { createConfigSchema } from '../../../src/domain/config/config-schema.js';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import { type JsonSchema, toJsonSchema } from '../../../src/domain/yaml/schema-keys.js';
import { isRolloutError } from '../../../src/kernel/rollout-error.js';
import { failureOf } from './failure-of.js';

const window = { from: '22:00', to: '05:00', days: ['mon'], deny: false };
const complete = {
  controlDatabase: 'postgres://db/control',
  queue: 'redis://queue:6379',
  rateCard: './rate-card.yaml',
  rollout: {
    notBefore: '2025-10-06',
    batchSize: 10_000,
    lanes: 2,
    bake: 'PT12H',
    bakeQuery: 'SELECT true',
    checks: [{ name: 'shop', limit: 5, query: 'SELECT 1', holds: ['bake'] }],
    canaryWait: 'PT10M',
    planRetention: 'P30D',
    windows: [window, { from: '01:00', to: '02:00', dates: ['2025-10-06'] }],
    approval: 'auto',
    guardRails: {
      maxRaiseFactor: 2,
      floorOverPlan: 2,
      totalChangePercent: 10,
      orgsTouched: 10,
      quarantinedShare: 0.1,
    },
  },
  signups: { cutover: '2025-10-07' },
  reconcile: { at: '00:15', maxChanged: 10, maxLapsed: 10, driftRetention: 'P400D' },
  grandfathering: { lapseGrace: 'P30D' },
  dataCenters: [
    {
      id: 'in',
      zone: 'Asia/Kolkata',
      database: 'postgres://db/in',
      source: 'public.orgs',
      meter: 'redis://meter',
    },
  ],
  webhooks: [{ name: 'ops', url: 'https://hooks', secret: 'whsec_x', link: 'https://wiki' }],
};

type Path = readonly (string | number)[];

function listValues(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, child]) =>
    listValues(child, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function listKeys(json: JsonSchema, path = ''): string[] {
  if (json.items) return listKeys(json.items, `${path}[]`);
  if (json.properties === undefined) return [path];
  return Object.entries(json.properties).flatMap(([key, child]) => listKeys(child, `${path}.${key}`));
}

const describePath = (path: Path): string =>
  path.map((step) => (typeof step === 'number' ? '[]' : `.${step}`)).join('');

function textWith(path: Path, value: string): string {
  const copy = structuredClone(complete);
  const last = path.at(-1) ?? '';
  const parent = path.slice(0, -1).reduce<unknown>((at, step) => Reflect.get(Object(at), step), copy);
  Reflect.set(Object(parent), last, value);
  return stringify(copy);
}

/** What a person is shown: the error, if it is one. */
function shownBy(parse: () => unknown): string {
  try {
    parse();
    return '';
  } catch (error) {
    if (!isRolloutError(error)) throw error;
    return `${error.message} ${error.next}`;
  }
}

const SECRETS = ['s3cret', '2025-10-06s3cret', 'postgres://s3cret', 'Asia/s3cret'];
const values = listValues(complete);

describe('a variable of the environment', () => {
  test('is tried in every value that a configuration may hold', () => {
    expect([...new Set(values.map(describePath))].sort()).toEqual(
      listKeys(toJsonSchema(createConfigSchema(() => undefined))).sort(),
    );
    expect(parseRolloutConfig(stringify(complete), { lookup: () => undefined }).dataCenters).toHaveLength(1);
  });

  test.each(values.map((path) => [describePath(path), path] as const))('never shows its value in %s', (_key, path) => {
    for (const secret of SECRETS) {
      const parse = () => parseRolloutConfig(textWith(path, `\${NAME}`), { lookup: () => secret });
      expect(shownBy(parse)).not.toContain('s3cret');
    }
  });

  test('is named where its value is wrong', () => {
    const text = textWith(['rollout', 'notBefore'], `\${START}`);
    const failure = failureOf(() => parseRolloutConfig(text, { lookup: () => 'tomorrow' }));
    expect(failure.code).toBe('invalid_instant');
    expect(failure.message).toMatch(/^rollout\.notBefore \(line \d+\) is "\$\{START\}", and what the environment/);
  });
});
