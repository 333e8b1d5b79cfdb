// The report of the mode `reconcile`. Pure.
import type { ComparisonCost } from './full-comparison.js';
import { findMedian, formatMs } from './numbers.js';

const LIMIT = 1.5;

/** A full comparison with nothing changed, beside a bare full join of the same columns. */
export function reportReconcile(costs: readonly ComparisonCost[]): readonly string[] {
  const bare = findMedian(costs.map(({ bareMs }) => bareMs));
  const detect = findMedian(costs.map(({ detectMs }) => detectMs));
  const ratio = detect / bare;
  const found = Math.max(...costs.map((cost) => cost.found));
  return [
    `medians: bare full join ${formatMs(bare)}, full comparison ${formatMs(detect)}`,
    `full comparison / bare full join: ${ratio.toFixed(2)} (goal: at most ${LIMIT}) ${ratio <= LIMIT ? 'reached' : 'MISSED'}`,
    ...(found > 0 ? [`NOT a night without changes: ${found} orgs were found`] : []),
  ];
}
