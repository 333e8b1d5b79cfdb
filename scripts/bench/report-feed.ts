// The report of the mode `feed`. Pure.
import { EDITS, type FeedMeasure, WAYS } from './feed.js';
import { findMedian, formatCount, formatMs, formatTable } from './numbers.js';
import { formatGoal } from './report.js';

/** Medians by the way in which edits are found, and the goal beside each. */
export function reportFeed(measures: readonly FeedMeasure[]): readonly string[] {
  const of = (way: FeedMeasure['way'], read: (measure: FeedMeasure) => number): number =>
    findMedian(measures.filter((measure) => measure.way === way).map(read));
  const rows = WAYS.map((way) => [
    way,
    formatCount(measures[0]?.orgs ?? 0),
    formatCount(of(way, ({ raised }) => raised)),
    formatMs(of(way, ({ ms }) => ms)),
    formatMs(of(way, ({ idleMs }) => idleMs)),
    formatMs(of(way, ({ editMs }) => editMs)),
  ]);
  return [
    ...formatTable([['found by', 'orgs', 'raised', 'median', 'poll of nothing', "product's update"], ...rows]),
    '',
    ...WAYS.map((way) =>
      formatGoal({
        what: `${formatCount(EDITS)} edits followed, by ${way}`,
        value: of(way, ({ ms }) => ms) / 1_000,
        limit: 2,
        side: 'at most',
        unit: ' s',
      }),
    ),
  ];
}
