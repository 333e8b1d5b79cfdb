import { describe, expect, test } from 'vitest';
import { findNearest } from '../../src/kernel/nearest-word.js';

const KEYS = ['base', 'perAgent', 'concurrency', 'min', 'max'];

describe('findNearest', () => {
  test.each([
    ['bases', 'base'],
    ['peragent', 'perAgent'],
    ['per_agent', 'perAgent'],
    ['concurency', 'concurrency'],
    ['mim', 'min'],
    ['', undefined],
    ['legacy', undefined],
    ['m', undefined],
  ] as const)('answers %j with %j', (typed, suggestion) => {
    expect(findNearest(typed, KEYS)).toBe(suggestion);
  });
});
