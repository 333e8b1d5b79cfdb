// The report of the mode `feed`. Pure.
import { type BulkMeasure, lossOf } from './bulk-touch.js';
import type { FeedMeasures } from './feed.js';
import { EDITS, type FeedMeasure, WAYS } from './feed-edits.js';
import { findMedian, formatCount, formatMs, formatTable } from './numbers.js';
import { formatGoal } from './report.js';

/** Single edits, and the touch of all orgs. */
export const reportFeed = ({ edits, bulk }: FeedMeasures): readonly string[] => [
  ...reportEdits(edits),
  '',
  ...reportBulk(bulk),
];

/** Medians by the way in which edits are found, and the goal beside each. */
function reportEdits(measures: readonly FeedMeasure[]): readonly string[] {
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

/** The traffic beside the feed, how long other edits wait, and the goals. */
function reportBulk(measures: readonly BulkMeasure[]): readonly string[] {
  const traffic = (values: readonly number[]): string =>
    values.length === 0 ? 'not installed' : `${formatCount(findMedian(values))} tps`;
  const longest = ({ waits }: BulkMeasure): number => Math.max(...waits, 0);
  const rows = measures.map((measure) => [
    measure.way,
    formatCount(measure.touched),
    `${formatCount(measure.read)} in ${measure.seconds} s`,
    traffic(measure.alone),
    traffic(measure.beside),
    formatCount(measure.waits.length),
    formatMs(longest(measure)),
  ]);
  const titles = ['all touched', 'orgs', 'read', 'pgbench alone', 'beside the feed', 'other edits', 'longest wait'];
  return [
    ...formatTable([titles, ...rows]),
    '',
    ...measures.flatMap((measure) => {
      const loss = lossOf(measure);
      return [
        ...(loss === undefined
          ? []
          : [
              formatGoal({
                what: `loss of pgbench, ${measure.way}`,
                value: loss,
                limit: 5,
                side: 'at most',
                unit: ' %',
              }),
            ]),
        formatGoal({
          what: `wait of other edits, ${measure.way}`,
          value: longest(measure) / 1_000,
          limit: 60,
          side: 'at most',
          unit: ' s',
        }),
      ];
    }),
  ];
}
