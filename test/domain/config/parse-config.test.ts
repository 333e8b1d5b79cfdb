// The configuration: what is accepted, with which defaults, and how each wrong value is named.
import { describe, expect, test } from 'vitest';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import type { RolloutConfig } from '../../../src/domain/config/rollout-config.js';
import { failureOf } from './failure-of.js';

const VARIABLES: Readonly<Record<string, string>> = {
  BATCH: '5000',
  SHORT: 'in',
  TRICKY: 'a: {b: [c]} # d',
  EMPTY: '',
  MYSQL: 'mysql://somebody:secret@x/y',
};
const lookup = (name: string): string | undefined => VARIABLES[name];
const parse = (text: string): RolloutConfig => parseRolloutConfig(text, { lookup });

const base = `controlDatabase: \${CONTROL_DATABASE_URL}
rateCard: ./rate-card.yaml
`;
const india = `dataCenters:
  - { id: in, zone: Asia/Kolkata, database: "\${IN_DATABASE_URL}", source: public.orgs }
`;
const withRollout = (line: string): string => `${base}${india}rollout:\n  ${line}\n`;

describe('parseRolloutConfig', () => {
  test('fills in the defaults of everything that is left out', () => {
    expect(parse(base + india)).toEqual({
      controlDatabase: { text: `\${CONTROL_DATABASE_URL}` },
      queue: undefined,
      rateCard: './rate-card.yaml',
      rollout: {
        notBefore: undefined,
        batchSize: 10_000,
        lanes: 2,
        bakeMs: 0,
        bakeQuery: undefined,
        canaryWaitMs: 0,
        planRetentionDays: 30,
        windows: [],
        approval: 'auto',
        guardRails: { quarantinedShare: 0.01 },
      },
      signups: { cutover: undefined },
      reconcile: { at: '00:15', maxChanged: undefined, maxLapsed: undefined, driftRetentionDays: 400 },
      grandfathering: { lapseGraceDays: 30 },
      dataCenters: [
        { id: 'in', zone: 'Asia/Kolkata', database: { text: `\${IN_DATABASE_URL}` }, source: 'public.orgs' },
      ],
    });
  });

  test('reads every key, with dates and times as text', () => {
    const config = parse(`${base}queue: \${QUEUE_URL}
rollout:
  notBefore: 2025-10-06
  batchSize: 20000
  lanes: 4
  bake: PT12H
  bakeQuery: select true
  canaryWait: PT10M
  planRetention: P60D
  windows:
    - { from: 22:00, to: 05:00, days: [mon, fri] }
    - { from: "00:00", to: "00:00", dates: [2025-12-25], deny: true }
  approval: required
  guardRails: { maxRaiseFactor: 10, floorOverPlan: 3, totalChangePercent: 7.5, orgsTouched: 100, quarantinedShare: 0.02 }
signups: { cutover: 2025-10-30 }
reconcile: { at: 00:30, maxChanged: 1000, maxLapsed: 50, driftRetention: P90D }
grandfathering: { lapseGrace: P4W }
${india}`);
    expect(config.rollout).toEqual({
      notBefore: '2025-10-06',
      batchSize: 20_000,
      lanes: 4,
      bakeMs: 43_200_000,
      bakeQuery: 'select true',
      canaryWaitMs: 600_000,
      planRetentionDays: 60,
      windows: [
        { from: '22:00', to: '05:00', days: ['mon', 'fri'] },
        { from: '00:00', to: '00:00', dates: ['2025-12-25'], deny: true },
      ],
      approval: 'required',
      guardRails: {
        maxRaiseFactor: 10,
        floorOverPlan: 3,
        totalChangePercent: 7.5,
        orgsTouched: 100,
        quarantinedShare: 0.02,
      },
    });
    expect(config.queue).toEqual({ text: `\${QUEUE_URL}` });
    expect(config.signups.cutover).toBe('2025-10-30');
    expect(config.reconcile).toEqual({ at: '00:30', maxChanged: 1000, maxLapsed: 50, driftRetentionDays: 90 });
    expect(config.grandfathering.lapseGraceDays).toBe(28);
  });

  test('accepts sections without keys, anchors, and values from variables', () => {
    const config = parse(`${base.replace('./rate-card.yaml', `\${TRICKY}`)}rollout:
  batchSize: \${BATCH}
signups:
dataCenters:
  - { id: "\${SHORT}", zone: &zone Asia/Kolkata, database: a, source: '"Product"."Orgs"' }
  - { id: in-2, zone: *zone, database: b, source: v }
`);
    expect(config.rateCard).toBe('a: {b: [c]} # d');
    expect(config.rollout.batchSize).toBe(5000);
    expect(config.dataCenters.map(({ id, zone }) => [id, zone])).toEqual([
      ['in', 'Asia/Kolkata'],
      ['in-2', 'Asia/Kolkata'],
    ]);
  });

  test('does not look at the variables of URLs', () => {
    const seen: string[] = [];
    parseRolloutConfig(base + india, { lookup: (name) => void seen.push(name) });
    expect(seen).toEqual([]);
  });

  test.each(['redis://x:1', 'rediss://x', 'postgres://x/y', 'postgresql://x/y', `\${UNSET}`, `\${EMPTY}`])(
    'accepts the queue %s',
    (url) => expect(parse(`${base}${india}queue: "${url}"\n`).queue).toEqual({ text: url }),
  );

  test.each([
    ['mysql://somebody:secret@x/y', 'has the scheme "mysql"'],
    [`\${MYSQL}`, 'has the scheme "mysql"'],
    ['REDIS://secret', 'has the scheme "REDIS"'],
    ['secret:6379', 'is no URL with a scheme'],
  ])('rejects the queue %s by its scheme alone', (url, found) => {
    const failure = failureOf(() => parse(`${base}${india}queue: "${url}"\n`));
    expect(failure).toMatchObject({
      code: 'invalid_config',
      message: `queue (line 5) ${found}, but it must have one of redis, rediss, postgres, postgresql.`,
    });
    expect(failure.next).not.toContain('secret');
  });

  test.each([
    ['batchSize: 5', 'batchSize', 'rollout.batchSize'],
    ['controlDatabse: x', 'controlDatabse', 'controlDatabase'],
    ['rollout: { batch_size: 5 }', 'rollout.batch_size', 'rollout.batchSize'],
    ['rollout: { windwos: [] }', 'rollout.windwos', 'rollout.windows'],
    ['rollout: { windows: [{ from: "22:00", too: "05:00" }] }', 'rollout.windows[0].too', 'rollout.windows[].to'],
    ['signups: { guardRails: {} }', 'signups.guardRails', 'rollout.guardRails'],
    ['signups: { cutOver: 2025-10-30 }', 'signups.cutOver', 'signups.cutover'],
    ['datacenters: []', 'datacenters', 'dataCenters'],
    ['grandfathering: { lapsegrace: P1D }', 'grandfathering.lapsegrace', 'grandfathering.lapseGrace'],
  ])('rejects the key of %s and suggests the right one', (line, path, suggestion) => {
    const failure = failureOf(() => parse(base + (line.startsWith('datacenters') ? '' : india) + line));
    expect(failure.code).toBe('unknown_config_key');
    expect(failure.message).toMatch(/\(line \d+\)/);
    expect(failure.message.startsWith(`${path} `)).toBe(true);
    expect(failure.message.endsWith(`did you mean ${suggestion}?`)).toBe(true);
  });

  test.each(['xyzzyplugh: 1', '<<: { rateCard: x }', '__proto__: { a: 1 }', '1: 2'])(
    'rejects the key of %s without a guess',
    (line) => {
      const failure = failureOf(() => parse(`${base}${india}${line}\n`));
      expect(failure).toMatchObject({
        code: 'unknown_config_key',
        next: expect.stringMatching(/^Remove the key\. The keys here are controlDatabase, queue, /),
      });
      expect(failure.message).toContain('(line 5) is not a key of the configuration.');
    },
  );

  test.each(['controlDatabase', 'rateCard', 'dataCenters'])('names %s when it is missing', (key) => {
    const entries = ['controlDatabase: x', 'rateCard: y', india].filter((entry) => !entry.startsWith(key));
    expect(failureOf(() => parse(entries.join('\n')))).toMatchObject({
      code: 'invalid_config',
      message: `${key} is missing from the configuration.`,
    });
  });

  test.each(['id', 'zone', 'database', 'source'])('names a missing %s of a data center', (key) => {
    const fields = ['id: in', 'zone: UTC', 'database: x', 'source: orgs'].filter((field) => !field.startsWith(key));
    const failure = failureOf(() => parse(`${base}dataCenters: [{ ${fields.join(', ')} }]\n`));
    expect(failure.message).toBe(`dataCenters[0].${key} is missing from the configuration.`);
  });

  test.each(['', '\n', '# nothing\n', '---\n'])('rejects the empty text %j', (text) => {
    expect(failureOf(() => parse(text)).code).toBe('invalid_config');
  });

  test.each(['0', '-1', '99', '1e9', '.nan', '.inf', '"10k"', '10k', '100.5', 'null', '[1]', '9007199254740993'])(
    'rejects the batch size %s with the range',
    (value) => {
      const failure = failureOf(() => parse(withRollout(`batchSize: ${value}`)));
      expect(failure.code).toBe('invalid_config');
      expect(failure.message).toMatch(/^rollout\.batchSize \(line 6\)/);
      if (!['[1]'].includes(value)) expect(failure.message).toContain('a whole number from 100 to 100000');
    },
  );

  test.each([
    ['batchSize: "10k"', 'rollout.batchSize (line 6) is "10k", but it must be a whole number from 100 to 100000.'],
    ['batchSize: 0', 'rollout.batchSize (line 6) is 0, but it must be a whole number from 100 to 100000.'],
    ['lanes: 33', 'rollout.lanes (line 6) is 33, but it must be a whole number from 1 to 32.'],
    ['approval: never', 'rollout.approval (line 6) is "never", but it must be one of auto, required.'],
    ['windows:', 'rollout.windows (line 6) is empty, but it must be a list.'],
    ['windows: [{ from: "22:00" }]', 'rollout.windows[0].to is missing from the configuration.'],
    [
      'guardRails: { quarantinedShare: 2 }',
      'rollout.guardRails.quarantinedShare (line 6) is 2, but it must be a number from 0 to 1.',
    ],
    [
      'planRetention: PT12H',
      'rollout.planRetention (line 6) is "PT12H", but it must be a duration of at least 1 and whole days, such as P30D.',
    ],
    ['bake: 12', 'rollout.bake (line 6) is 12, but it must be a duration such as PT12H.'],
    [
      'windows: [{ from: "22:00", to: "05:00", days: [monday] }]',
      'rollout.windows[0].days[0] (line 6) is "monday", but it must be one of mon, tue, wed, thu, fri, sat, sun.',
    ],
  ])('refuses %s in one sentence', (line, message) => {
    expect(failureOf(() => parse(withRollout(line)))).toMatchObject({ code: 'invalid_config', message });
  });

  test.each([
    ['windows: [{ from: "22:00", to: "05:00", dates: [] }]', 'invalid_config', 'dates'],
    ['windows: [{ from: "22:00", to: "05:00", days: [mon], dates: [2025-10-06] }]', 'invalid_config', 'not both'],
    ['windows: [{ from: "22:00", to: "24:00" }]', 'invalid_instant', '"24:00"'],
    ['windows: [{ from: "22:00", to: "05:00", dates: [2025-02-30] }]', 'invalid_instant', '"2025-02-30"'],
    ['windows: [{ from: "22:00", to: "05:00", deny: yes }]', 'invalid_config', '"yes"'],
    ['windows: [{ from: "00:00", to: "00:00", deny: true }]', 'invalid_config', 'never opens (data center'],
    [
      'windows: [{ from: "22:00", to: "05:00" }, { from: "00:00", to: "00:00", deny: true }]',
      'invalid_config',
      'deny windows cover',
    ],
    ['bake: 12h', 'invalid_duration', '"12h"'],
    ['notBefore: 2026-02-30', 'invalid_instant', '"2026-02-30"'],
    ['notBefore: 2025-10-06T00:00:00Z', 'invalid_instant', 'carries an offset'],
  ])('refuses %s', (line, code, part) => {
    const failure = failureOf(() => parse(withRollout(line)));
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(part);
    expect(failure.message).toMatch(/^rollout\.[A-Za-z[\].0-9]+ \(line 6\)/);
  });

  test.each(['IST', 'EST', 'null', '""', 'utc+25', 'Mars/Olympus', '+05:30', '5', 'local', 'asia/kolkata', '[]'])(
    'rejects the zone %s',
    (zone) => {
      const failure = failureOf(() => parse(base + india.replace('Asia/Kolkata', zone)));
      expect(failure.code).toBe(zone === '[]' ? 'invalid_config' : 'invalid_zone');
      expect(failure.message).toContain('dataCenters[0].zone (line 4)');
      if (zone !== '[]') expect(failure.message).toContain(zone);
    },
  );

  test.each(['IN', '1in', 'in_2', 'in 2', '-in', 'a'.repeat(32), '""', '5', 'null'])('refuses the id %s', (id) => {
    const failure = failureOf(() => parse(base + india.replace('id: in', `id: ${id}`)));
    expect(failure.code).toBe('invalid_config');
    expect(failure.message).toContain('dataCenters[0].id (line 4)');
  });

  test.each(['dataCenters: []\n', 'dataCenters:\n'])('rejects %j', (text) => {
    const failure = failureOf(() => parse(base + text));
    expect(failure).toMatchObject({ code: 'invalid_config', message: expect.stringContaining('at least one') });
  });

  test('rejects two data centers with one id, or with one database', () => {
    const entry = india.split('\n')[1] ?? '';
    expect(failureOf(() => parse(`${base}${india}${entry}\n`))).toMatchObject({
      code: 'duplicate_data_center',
      message: 'dataCenters[0] and dataCenters[1] both have the id in.',
    });
    const renamed = entry.replace('id: in', 'id: eu');
    expect(failureOf(() => parse(`${base}${india}${renamed}\n`))).toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('dataCenters[1].database'),
    });
  });

  test('rejects an instant that does not exist in one of the zones, with both candidates', () => {
    const chile = '  - { id: cl, zone: America/Santiago, database: b, source: orgs }\n';
    const failure = failureOf(() => parse(`${base}${india}${chile}signups: { cutover: 2025-09-07T00:30 }\n`));
    expect(failure.code).toBe('invalid_instant');
    expect(failure.message).toContain(
      'signups.cutover (line 6): 2025-09-07T00:30:00 does not exist in America/Santiago',
    );
    expect(failure.message).toContain('2025-09-07T03:30:00Z and');
    expect(failure.message).toContain('2025-09-07T04:30:00Z');
  });

  test('rejects a cut-over before the start', () => {
    const text = `${withRollout('notBefore: 2025-10-06')}signups: { cutover: 2025-10-05 }\n`;
    const failure = failureOf(() => parse(text));
    expect(failure.code).toBe('invalid_config');
    expect(failure.message).toContain('signups.cutover (line 7) is "2025-10-05"');
  });

  test.each([
    ['a: [1\nb: {', 2],
    [`${base}rateCard: again\n`, 3],
    [`${base}\tqueue: x\n`, 3],
    [`${base}queue: !custom x\n`, 3],
    [`${base}queue: *nowhere\n`, 3],
    [`${base}---\nqueue: x\n`, 3],
    ['%YAML 1.1\n---\nqueue: x\n', 1],
  ])('names the line of what is not valid YAML: %j', (text, line) => {
    const failure = failureOf(() => parse(text));
    expect(failure.code).toBe('config_syntax');
    expect(failure.message.startsWith(`Line ${line} of the configuration`)).toBe(true);
  });

  test.each(['just text', '- a', '5'])('rejects %j, which has no keys', (text) => {
    expect(failureOf(() => parse(text))).toMatchObject({
      code: 'invalid_config',
      message: expect.stringMatching(/keys/),
    });
  });

  test('survives aliases that would grow without end', () => {
    const bomb = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: &c { c: *c }'].join('\n');
    expect(failureOf(() => parse(bomb)).code).toBe('unknown_config_key');
    expect(failureOf(() => parse(`${base}${india}rollout: &r { guardRails: *r }\n`)).code).toBe('unknown_config_key');
  });

  test('names a variable that is not set, and the key', () => {
    const failure = failureOf(() => parse(base.replace('./rate-card.yaml', `\${NOWHERE}`) + india));
    expect(failure.code).toBe('missing_environment_variable');
    expect(failure.message).toBe('rateCard (line 2) names the environment variable NOWHERE, which is not set.');
  });

  test('never shows a password', () => {
    const url = 'postgres://app:CANARY@db/x';
    const texts = [
      `${base}${india}${url}\n`,
      `${base}${india}"${url}": 1\n`,
      base.replace('./rate-card.yaml', `[${url}]`) + india,
      withRollout(`batchSize: ${url}`),
      withRollout(`bake: ${url}`),
      withRollout(`notBefore: ${url}`),
      withRollout(`windows: [{ from: "${url}", to: x }]`),
      base + india.replace('Asia/Kolkata', url),
      base + india.replace('id: in', `id: ${url}`),
      `${base}${india}queue: [${url}]\n`,
      `${base}${india}queue: "${url}" x\n`,
      `${base}${india}queue: ${url} x: y\n`,
      `${base}${india}queue: &${url} 1\nrollout: *${url}2\n`,
    ];
    for (const text of texts) {
      const failure = failureOf(() => parse(text));
      expect(`${failure.message} ${failure.next}`).not.toContain('CANARY');
    }
  });
});
