// What `npm run soak` takes for growth: a line must be able to fail.
import { expect, test } from 'vitest';
import { describeGrowth } from './growth.js';

const line = (value: (n: number) => number, samples = 200) => ({
  name: 'memory, MB',
  bound: 20,
  samples: Array.from({ length: samples }, (_, n) => ({ atMs: n * 1_000, value: value(n) })),
});

test('a line that climbs for ever grows', () => {
  expect(describeGrowth(line((n) => 100 + n / 2 + (n % 7)))).toMatchObject({ verdict: 'grows', first: 100 });
});

test('one that fills, and then goes up and down, does not', () => {
  const fills = (n: number): number => Math.min(300, 100 + n * 4) + (n % 9) * 5;
  expect(describeGrowth(line(fills))).toMatchObject({ verdict: 'steady' });
});

test('too few samples say nothing', () => {
  expect(describeGrowth(line((n) => n * 100, 10))).toMatchObject({ verdict: 'steady', grew: 0 });
});
