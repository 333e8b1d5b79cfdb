// The configuration: how each wrong value is named, of numbers, windows, zones, ids and instants.
import { describe, expect, test } from 'vitest';
import { base, india, parse, withRollout } from './config-scene.js';
import { failureOf } from './failure-of.js';

describe('parseRolloutConfig', () => {
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
    [
      'batchSize: "10k"',
      'rollout.batchSize (line 6) is "10k", but it must be auto, or a whole number from 100 to 100000.',
    ],
    [
      'batchSize: Auto',
      'rollout.batchSize (line 6) is "Auto", but it must be auto, or a whole number from 100 to 100000.',
    ],
    ['batchSize: 0', 'rollout.batchSize (line 6) is 0, but it must be auto, or a whole number from 100 to 100000.'],
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
  ])('rejects %s in one sentence', (line, message) => {
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
  ])('rejects %s', (line, code, part) => {
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

  test.each(['IN', '1in', 'in_2', 'in 2', '-in', 'a'.repeat(32), '""', '5', 'null', 'control'])(
    'rejects the id %s',
    (id) => {
      const failure = failureOf(() => parse(base + india.replace('id: in', `id: ${id}`)));
      expect(failure.code).toBe('invalid_config');
      expect(failure.message).toContain('dataCenters[0].id (line 4)');
    },
  );

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
});
