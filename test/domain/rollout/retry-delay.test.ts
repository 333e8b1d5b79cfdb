// How long it takes until an unreachable cell is tried again.
import { describe, expect, test } from 'vitest';
import { retryDelayMs } from '../../../src/domain/rollout/retry-delay.js';

describe('retryDelayMs', () => {
  test('doubles from 5 s and ends at 30 s, for as long as it takes', () => {
    expect([1, 2, 3, 4, 5, 2_000].map(retryDelayMs)).toEqual([5_000, 10_000, 20_000, 30_000, 30_000, 30_000]);
  });
});
