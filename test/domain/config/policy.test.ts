// The policy: what a configuration would set, where it differs, and values as people write them.
import { describe, expect, test } from 'vitest';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import { parseSetting } from '../../../src/domain/config/parse-setting.js';
import {
  addToOrder,
  applyPolicy,
  isSameValue,
  listPolicyDifferences,
  POLICY_SETTINGS,
  type Policy,
  showSetting,
  toPolicy,
} from '../../../src/domain/config/policy.js';
import type { RolloutConfig } from '../../../src/domain/config/rollout-config.js';
import { failureOf } from './failure-of.js';

/** Two data centers, in this order unless `order` says otherwise. */
function parse(sections = '', order: readonly ('eu' | 'us')[] = ['eu', 'us']): RolloutConfig {
  const zones = { eu: 'Europe/Berlin', us: 'America/New_York' };
  const lines = order.map((id) => `  - { id: ${id}, zone: ${zones[id]}, database: "\${${id}}", source: public.orgs }`);
  return parseRolloutConfig(
    `controlDatabase: \${C}\nrateCard: x.yaml\n${sections}\ndataCenters:\n${lines.join('\n')}\n`,
    { lookup: () => undefined },
  );
}

const EVERY = `rollout:
  notBefore: 2098-10-06
  bake: P1DT2H
  bakeQuery: "select \${1}"
  checks: [{ name: lag, limit: PT1S }, { name: shop, query: "select 'a: b'", holds: [start] }]
  canaryWait: PT90S
  planRetention: P60D
  windows: [{ from: 22:00, to: 05:00, days: [mon] }]
  approval: required
  guardRails: { maxRaiseFactor: 10, floorOverPlan: 3, totalChangePercent: 7.5, orgsTouched: 100, quarantinedShare: 0.02 }
signups: { cutover: 2098-10-30 }
reconcile: { at: 00:30, maxChanged: 1000, maxLapsed: 50, driftRetention: P90D }
grandfathering: { lapseGrace: P28D }`.replace(/\$\{1\}/u, '1');

const differences = (config: RolloutConfig, policy: Policy, pinned = false): readonly string[] =>
  listPolicyDifferences(config, policy, pinned).map(({ name }) => name);

describe('toPolicy', () => {
  test('has every setting, as the configuration writes it', () => {
    const policy = toPolicy(parse(EVERY));
    expect([...policy.keys()].slice(0, POLICY_SETTINGS.length)).toEqual(POLICY_SETTINGS);
    expect(Object.fromEntries(policy)).toMatchObject({
      'rollout.bake': 'PT26H',
      'rollout.canaryWait': 'PT1M30S',
      'rollout.planRetention': 'P60D',
      'rollout.guardRails.totalChangePercent': 7.5,
      'grandfathering.lapseGrace': 'P28D',
      'dataCenters.order': ['eu', 'us'],
      'dataCenters.us.zone': 'America/New_York',
    });
  });
});

describe('applyPolicy', () => {
  test('makes of any configuration the one that set the policy, but for what an operator chooses', () => {
    const config = parse(EVERY);
    const other = parse('rollout: { batchSize: 200, lanes: 7 }');
    const { batchSize, lanes } = other.rollout;
    const { written: _, ...applied } = applyPolicy(other, toPolicy(config));
    const { written: __, ...expected } = { ...config, rollout: { ...config.rollout, batchSize, lanes } };
    expect(applied).toEqual(expected);
  });

  test('leaves what the policy does not have', () => {
    const config = parse(EVERY);
    expect(applyPolicy(config, new Map())).toEqual(config);
  });
});

describe('listPolicyDifferences', () => {
  test('finds none where keys are left out, or say the same in other words', () => {
    const policy = toPolicy(parse(EVERY));
    expect(differences(parse(), policy)).toEqual([]);
    expect(differences(parse('rollout: { bake: PT26H, planRetention: PT1440H }'), policy)).toEqual([]);
    expect(differences(parse('rollout: { windows: [{ to: 05:00, days: [mon], from: 22:00 }] }'), policy)).toEqual([]);
  });

  test('finds each key that says something else', () => {
    const policy = toPolicy(parse());
    const settings = POLICY_SETTINGS.filter((name) => name !== 'reconcile.at' || policy.get(name) !== '00:30');
    expect(differences(parse(EVERY), policy)).toEqual(settings);
  });

  test('finds another order, zone and source, and lets a file name only some data centers', () => {
    const policy = toPolicy(parse());
    expect(differences(parse('', ['us', 'eu']), policy)).toEqual(['dataCenters.order']);
    expect(differences(parse('', ['us']), policy)).toEqual([]);
    const moved = new Map([
      ...policy,
      ['dataCenters.eu.zone', 'Europe/Paris'] as const,
      ['dataCenters.us.source', 'x.y'] as const,
    ]);
    expect(differences(parse(), moved)).toEqual(['dataCenters.eu.zone', 'dataCenters.us.source']);
  });

  test('leaves pinned instants to those that were pinned', () => {
    const policy = toPolicy(parse());
    const config = parse('signups: { cutover: 2098-10-30 }');
    expect(differences(config, policy)).toEqual(['signups.cutover']);
    expect(differences(config, policy, true)).toEqual([]);
  });
});

/** Nothing of it means something else in YAML, or is a variable of the environment. */
const QUERY = `select 'a: b' = "#" -- \${HOME}`;

describe('parseSetting', () => {
  const policy = toPolicy(parse(EVERY));

  test('reads back what showSetting shows, for every setting', () => {
    const shown = [...policy, ['rollout.windows', []], ['rollout.checks', []]] as const;
    for (const [name, value] of shown)
      expect([name, parseSetting(policy, name, showSetting(value))]).toEqual([name, value]);
  });

  test.each([
    ['rollout.bake', 'P1D', 'P1D'],
    ['rollout.bakeQuery', 'none', null],
    ['rollout.bakeQuery', QUERY, QUERY],
    ['rollout.guardRails.orgsTouched', '5000', 5_000],
    ['rollout.windows', '[]', []],
    ['rollout.checks', '[]', []],
    ['rollout.checks', '[{ name: lag, limit: PT2S }]', [{ name: 'lag', limit: 'PT2S' }]],
    ['rollout.windows', '[{ from: "21:00", to: "23:00" }]', [{ from: '21:00', to: '23:00' }]],
    ['dataCenters.order', 'us, eu', ['us', 'eu']],
    ['dataCenters.eu.zone', 'Europe/Paris', 'Europe/Paris'],
  ])('reads %s %s', (name, text, value) => {
    expect(isSameValue(parseSetting(policy, name, text), value)).toBe(true);
  });

  test.each([
    ['rollout.bkae', 'P1D', 'setting_unknown', 'did you mean rollout.bake?'],
    ['xyz', '5', 'setting_unknown', 'There is no setting "xyz".'],
    ['rollout.approval', 'never', 'invalid_config', 'auto'],
    ['rollout.bake', '12h', 'invalid_duration', 'rollout.bake'],
    ['rollout.windows', '[', 'invalid_argument', 'YAML'],
    ['rollout.checks', '[{ name: lagg }]', 'invalid_config', 'lag, archive'],
    ['rollout.windows', '[{ from: "00:00", to: "00:00", deny: true }]', 'invalid_config', 'never opens'],
    ['signups.cutover', '2098-10-01', 'invalid_config', 'rollout.notBefore'],
    ['rollout.notBefore', '2098-03-30T02:30', 'invalid_instant', 'does not exist in Europe/Berlin'],
    ['dataCenters.order', 'eu', 'invalid_argument', 'eu, us'],
    ['dataCenters.eu.zone', 'Paris', 'invalid_zone', 'Paris'],
  ])('rejects %s %s', (name, text, code, says) => {
    const failure = failureOf(() => parseSetting(policy, name, text));
    expect(failure).toMatchObject({ code });
    expect(`${failure.message} ${failure.next}`).toContain(says);
    expect(failure.message).not.toMatch(/\(line/u);
  });
});

test.each([
  [
    ['a', 'c'],
    ['a', 'b', 'c'],
    ['a', 'b', 'c'],
  ],
  [
    ['a', 'c'],
    ['c', 'd'],
    ['a', 'c', 'd'],
  ],
  [['a'], ['z', 'a'], ['z', 'a']],
  [
    ['a', 'b'],
    ['b', 'a'],
    ['a', 'b'],
  ],
])('the order %j with the configuration %j is %j', (order, configured, expected) => {
  expect(addToOrder(order, configured)).toEqual(expected);
});
