// What one person may set of a check, what reaches a cell, and what only two people change.
import { describe, expect, test } from 'vitest';
import type { CheckSpec } from '../../../src/domain/checks/check.js';
import {
  type CheckInCell,
  type CheckInForce,
  decideLimit,
  hasOtherChecks,
  readChecksAt,
  toChecksSetting,
} from '../../../src/domain/checks/check-limit.js';
import { judgeReading } from '../../../src/domain/checks/reading.js';
import { isRolloutError } from '../../../src/kernel/rollout-error.js';

const POLICY: readonly CheckSpec[] = [
  { name: 'probe' },
  { name: 'lag', limit: 'PT2S' },
  { name: 'shop', query: 'select 1', limit: 400, holds: ['write', 'bake'] },
  { name: 'quiet', query: 'select true', holds: ['start'] },
];

const outcome = (name: string, value: string, emergency = false): unknown => {
  try {
    return decideLimit({ dataCenter: 'eu', name, value, policy: POLICY, emergency });
  } catch (error) {
    return isRolloutError(error) ? error.code : error;
  }
};

describe('decideLimit', () => {
  const tightened = (limit: number) => ({ kind: 'tightened', limit });
  const loosened = (limit: number | null) => ({ kind: 'loosened', limit });
  test.each([
    ['lag', 'PT1S', false, tightened(1_000)],
    ['lag', '500ms', false, tightened(500)],
    ['shop', '399.5', false, tightened(399.5)],
    // it is off in the policy: to have it is stricter
    ['lockWaits', '2', false, tightened(2)],
    ['lag', 'PT2S', false, 'setting_refused'],
    ['lag', 'PT3S', false, 'setting_refused'],
    ['lag', 'off', false, 'setting_refused'],
    ['quiet', 'off', false, 'setting_refused'],
    ['lag', 'PT3S', true, loosened(3_000)],
    ['lag', 'off', true, loosened(null)],
    ['quiet', 'off', true, loosened(null)],
    ['lag', 'PT1S', true, 'setting_refused'],
    ['lockWaits', '9', true, 'setting_refused'],
    ['lockWaits', 'off', false, 'setting_refused'],
    ['quiet', '3', true, 'invalid_argument'],
    ['probe', '1', false, 'invalid_argument'],
    ['lag', '2', false, 'invalid_argument'],
    ['lag', 'PT0S', false, 'invalid_argument'],
    ['shop', '-1', false, 'invalid_argument'],
    ['shop', '', false, 'invalid_argument'],
    ['shop', 'Infinity', true, 'invalid_argument'],
    ['lagg', 'PT1S', false, 'setting_unknown'],
  ] as const)('of %s to %s, emergency %s', (name, value, emergency, expected) => {
    expect(outcome(name, value, emergency)).toEqual(expected);
  });

  test('names both ways to what is looser', () => {
    const ask = () => decideLimit({ dataCenter: 'eu', name: 'lag', value: 'PT3S', policy: POLICY, emergency: false });
    expect(ask).toThrow(
      expect.objectContaining({ next: expect.stringContaining('settings propose rollout.checks.lag') }),
    );
    expect(ask).toThrow(expect.objectContaining({ next: expect.stringContaining('--emergency') }));
  });
});

const NOW = new Date('2026-05-04T10:00:00Z');
const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1_000);
const lag = (limit: number | null, seconds: number): CheckInForce => ({
  name: 'lag',
  limit: 'PT2S',
  loosened: { limit, until: at(seconds).toISOString() },
});

test('readChecksAt leaves out what is off, and ends what is over', () => {
  const [quiet] = POLICY.slice(-1);
  expect(quiet && readChecksAt([lag(null, 1), quiet], NOW)).toEqual([quiet]);
  expect(readChecksAt([lag(9_000, 1)], NOW)).toEqual([{ name: 'lag', limit: 9_000 }]);
  expect(readChecksAt([lag(9_000, 0)], NOW)).toEqual([{ name: 'lag', limit: 'PT2S' }]);
});

test('hasOtherChecks finds every difference, and none where both have ended', () => {
  const inCell = (own: Partial<CheckInCell>): CheckInCell => ({
    ...{ name: 'lag', query: null, ownLimit: 2_000, loosenedLimit: null, loosenedUntil: null },
    ...own,
  });
  const plain: CheckInForce = { name: 'lag', limit: 'PT2S' };
  const start: CheckInForce = { name: 'quiet', query: 'select true', holds: ['start'] };
  expect(hasOtherChecks([plain, start], [inCell({})], NOW)).toBe(false);
  expect(hasOtherChecks([plain], [inCell({ loosenedLimit: 9, loosenedUntil: at(-1) })], NOW)).toBe(false);
  expect(hasOtherChecks([lag(9, 60)], [inCell({ loosenedLimit: 9, loosenedUntil: at(60) })], NOW)).toBe(false);
  for (const [wanted, own] of [
    [plain, { ownLimit: 1_000 }],
    [plain, { query: 'select 1' }],
    [plain, { name: 'wal' }],
    [plain, { loosenedLimit: 9, loosenedUntil: at(1) }],
    [lag(9, 60), {}],
    [lag(null, 60), { loosenedLimit: 9, loosenedUntil: at(60) }],
    [lag(9, 60), { loosenedLimit: 9, loosenedUntil: at(61) }],
  ] as const)
    expect([own, hasOtherChecks([wanted], [inCell(own)], NOW)]).toEqual([own, true]);
  expect(hasOtherChecks([], [inCell({})], NOW)).toBe(true);
  expect(hasOtherChecks([plain], [], NOW)).toBe(true);
});

test('toChecksSetting writes one check into the whole list', () => {
  const change = (name: string, value: string) => {
    const setting = toChecksSetting(`rollout.checks.${name}`, value, POLICY);
    return setting && JSON.parse(setting.value);
  };
  expect(toChecksSetting('rollout.bake', 'PT1H', POLICY)).toBeUndefined();
  expect(change('lag', 'PT5S')).toEqual(POLICY.map((one) => (one.name === 'lag' ? { ...one, limit: 'PT5S' } : one)));
  expect(change('shop', '500')).toContainEqual({ ...POLICY[2], limit: 500 });
  expect(change('quiet', 'off')).toEqual(POLICY.slice(0, 3));
  expect(change('wal', '7')).toEqual([...POLICY, { name: 'wal', limit: 7 }]);
});

test('a limit that a calm read already exceeds never passes', () => {
  const reading = { check: { name: 'probe', limit: 1 }, value: 1, error: null, sampledAt: NOW };
  expect(judgeReading(reading, NOW)).toBe('no_data');
});
