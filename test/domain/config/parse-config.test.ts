// The configuration: what is accepted, with which defaults, and which keys and URLs it may have.
import { describe, expect, test } from 'vitest';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import { base, india, parse } from './config-scene.js';
import { failureOf } from './failure-of.js';

describe('parseRolloutConfig', () => {
  test('fills in the defaults of everything that is left out', () => {
    expect(parse(base + india)).toEqual({
      controlDatabase: { text: `\${CONTROL_DATABASE_URL}` },
      queue: undefined,
      rateCard: './rate-card.yaml',
      rollout: {
        notBefore: undefined,
        batchSize: 'auto',
        lanes: 2,
        bakeMs: 0,
        bakeQuery: undefined,
        checks: [{ name: 'probe' }, { name: 'lockWaits' }, { name: 'batchTime' }],
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
      webhooks: [],
      written: ['dataCenters.order', 'dataCenters.in.zone', 'dataCenters.in.source'],
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
  checks:
    - { name: lag, limit: PT2S }
    - { name: shop, query: select 1, limit: 400, holds: [write, bake] }
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
      checks: [
        { name: 'lag', limit: 'PT2S' },
        { name: 'shop', query: 'select 1', limit: 400, holds: ['write', 'bake'] },
      ],
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

  test('does not resolve the variables of URLs', () => {
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

  test('rejects a queue whose variable holds another scheme, without its value', () => {
    expect(failureOf(() => parse(`${base}${india}queue: "\${MYSQL}"\n`))).toMatchObject({
      code: 'invalid_config',
      message: `queue (line 5) is "\${MYSQL}", and what the environment gives for it is not valid here.`,
      next: `Write redis://HOST:PORT, a direct postgres:// URL, or \${VARIABLE} with one of them.`,
    });
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

  test('takes 100 data centers, and names the limit where there are more', () => {
    const list = (count: number): string =>
      Array.from({ length: count }, (_, at) => `  - { id: d${at}, zone: UTC, database: "${at}", source: s.o }\n`).join(
        '',
      );
    const read = (count: number) => parse(`${base}dataCenters:\n${list(count)}`);
    expect(read(100).dataCenters).toHaveLength(100);
    expect(failureOf(() => read(101))).toMatchObject({
      code: 'invalid_config',
      message: 'dataCenters (line 4) must have at most 100 data centers.',
      next: 'Take out those that are done, or give the others a configuration and a control database of their own.',
    });
  });

  test.each(['', '\n', '# nothing\n', '---\n'])('rejects the empty text %j', (text) => {
    expect(failureOf(() => parse(text)).code).toBe('invalid_config');
  });
});
