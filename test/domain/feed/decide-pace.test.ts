// How long the feed rests, and how many orgs a page has.
import { describe, expect, test } from 'vitest';
import {
  decideBacklogRest,
  decidePageSize,
  decideRest,
  isFollowed,
  longestWaitMs,
} from '../../../src/domain/feed/decide-pace.js';

describe('decideRest', () => {
  test('takes a twentieth of the time at most, a fifth where orgs are raised', () => {
    expect(decideRest(300, { raised: 0, bulk: false })).toBe(6_000);
    expect(decideRest(300, { raised: 1, bulk: false })).toBe(1_200);
  });

  test('takes a twentieth at most where many that were touched at once wait', () => {
    expect(decideRest(300, { raised: 1, bulk: true })).toBe(6_000);
  });

  test('takes a fortieth of the time for what waits', () => {
    expect(decideBacklogRest(300)).toBe(12_000);
  });

  test('is never shorter than a second, nor longer than five minutes', () => {
    expect(decideRest(1, { raised: 0, bulk: false })).toBe(1_000);
    expect(decideBacklogRest(60_000)).toBe(300_000);
  });
});

describe('decidePageSize', () => {
  test.each([
    ['halves what took long', 1_000, 1_000, 800, 500],
    ['halves what was in it, not what fits into it', 1_000, 40, 800, 20],
    ['doubles a full page that was quick', 100, 100, 50, 200],
    ['leaves one that was not full', 100, 30, 5, 100],
    ['stays between one and a thousand', 1, 1, 5_000, 1],
    ['stays between one and a thousand', 1_000, 1_000, 20, 1_000],
  ])('%s', (_what, size, orgs, tookMs, next) => {
    expect(decidePageSize(size, orgs, tookMs)).toBe(next);
  });
});

describe('isFollowed', () => {
  test('counts the search and the rest after it', () => {
    expect(isFollowed(200)).toBe(true);
    expect(isFollowed(300)).toBe(false);
    expect(longestWaitMs(600)).toBe(12_600);
  });
});
