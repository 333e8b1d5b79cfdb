// What `rate-card check` shows of a card with more cases and editions than a screen has lines.
import { expect, test } from 'vitest';
import { showCheckedCard } from '../../../src/cli/views/show-rate-card.js';
import { listUncoveredBranches } from '../../../src/domain/rate-card-check/list-uncovered-branches.js';
import { sampleCard } from '../../domain/rate-card/sample-card.js';

const repeat = <T>(count: number, make: (at: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, at) => make(at));
const [covered] = listUncoveredBranches({ ...sampleCard, cases: [] });

test('shows the first of many cases that fail and of many editions, and how many more there are', () => {
  if (covered === undefined) throw new Error('the sample card has no edition');
  const failed = (count: number) =>
    repeat(count, (at) => ({
      position: at + 1,
      name: null,
      message: `Case ${at + 1} fails.`,
      kind: 'undecidable' as const,
      reason: 'unknown_edition' as const,
    }));
  const lines = (count: number): readonly string[] => {
    const coverage = repeat(count, (at) => ({ ...covered, edition: `e${at}` }));
    return showCheckedCard({ card: sampleCard, failed: failed(count), coverage }, 100).split('\n');
  };
  expect(lines(20).filter((line) => line.includes('more:'))).toEqual([]);
  expect(lines(3_000).filter((line) => line.includes('and 2,980 more: --json'))).toHaveLength(2);
  expect(lines(3_000).length).toBeLessThan(60);
});
