// `rollout.checks`: what each entry may be, and what an error says.
import { describe, expect, test } from 'vitest';
import type { CheckSpec } from '../../../src/domain/checks/check.js';
import { base, india, parse } from './config-scene.js';
import { failureOf } from './failure-of.js';

const checks = (text: string): readonly CheckSpec[] =>
  parse(`${base}rollout:\n  checks: ${text}\n${india}`).rollout.checks;

describe('rollout.checks', () => {
  test('are as they are written, with a limit of a variable as a number', () => {
    expect(
      checks(`[{ name: shop, query: select 1, limit: "\${BATCH}", holds: [start, bake] }, { name: lag }]`),
    ).toEqual([{ name: 'shop', query: 'select 1', limit: 5_000, holds: ['start', 'bake'] }, { name: 'lag' }]);
    expect(checks('[]')).toEqual([]);
  });

  test.each([
    ['[{ name: lagg }]', 'checks[0].name (line 4) is "lagg", but it must be one of probe, lag, archive'],
    ['[{ name: lag, limit: 5 }]', 'checks[0].limit (line 4) is 5, but it must be a duration above 0'],
    ['[{ name: lag, limit: PT0S }]', 'is "PT0S", but it must be a duration above 0'],
    ['[{ name: sessions }]', 'checks[0].limit is missing'],
    ['[{ name: probe, limit: 1 }]', 'is 1, but it must be above 1'],
    ['[{ name: wal, limit: 0 }]', 'is 0, but it must be a number above 0'],
    ['[{ name: wal, limit: abc }]', 'is "abc", but it must be a number above 0'],
    ['[{ name: lag }, { name: lag }]', 'checks[1].name (line 4) is "lag", but it must be used once'],
    ['[{ name: lag, query: select 1 }]', 'checks[0].query (line 4) is "select 1", but it must be left out'],
    ['[{ name: lag, holds: [bake] }]', 'checks[0].holds (line 4) must be left out'],
    ['[{ name: shop, query: select 1, holds: [] }]', 'must have an entry'],
    ['[{ name: shop, query: select 1, holds: [writes] }]', 'is "writes", but it must be one of start, write, bake'],
    ['[{ name: shop, query: select 1, hold: [write] }]', 'did you mean rollout.checks[].holds?'],
    ['[{ name: Shop, query: select 1 }]', 'is "Shop", but it must be a small letter'],
    ['probe', 'must be a list'],
  ])('%s', (text, says) => {
    expect(failureOf(() => checks(text)).message).toContain(says);
  });
});
