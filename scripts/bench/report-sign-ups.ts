// What sign-ups cost and how many were lost, as text. Judges by the goals that stand below the numbers.
import { findMedian, formatCount, formatTable } from './numbers.js';
import { formatGoal } from './report.js';
import { type CrowdMeasure, FOLLOWED_MS } from './sign-up-crowd.js';
import { type ConditionMeasure, TIMEOUTS_MS } from './sign-up-losses.js';
import type { SignUpTimes } from './sign-up-once.js';
import type { SignUpMeasure } from './sign-ups.js';

export const findP99 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN;

/** `0/0/1 (57014)`: without us, with an empty statement in our place, with us; for each time-out. */
export const formatLosses = ({ counts }: Pick<ConditionMeasure, 'counts'>): string =>
  counts
    .map(({ failed: { bare, empty, called }, codes }) => {
      const named = called > 0 ? ` (${[...new Set(codes)].join(' ')})` : '';
      return `${bare}/${empty}/${called}${named}`;
    })
    .join('  ');

const ms = (value: number): string => `${value.toFixed(1)} ms`;
const percentiles = (values: readonly number[]): string => `${ms(findMedian(values))} / ${ms(findP99(values))}`;
const sumOf = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);

const costRow = (name: string, orgs: number, { bare, called }: SignUpTimes): readonly string[] => [
  name,
  formatCount(orgs),
  percentiles(bare),
  percentiles(called),
  (findMedian(called) / findMedian(bare)).toFixed(2),
  (findP99(called) / findP99(bare)).toFixed(2),
];

const seconds = (value: number): string => `${(value / 1_000).toFixed(1)} s`;

/** `200 at once (in 0.3 s): written within 1.4 s`. */
export function formatCrowd({ orgs, signedUpMs, longestMs, left, readMs, said }: CrowdMeasure): string {
  const wait =
    left === 0 ? `written within ${seconds(longestMs)}` : `${formatCount(left)} left after ${seconds(longestMs)}`;
  const read = readMs === null ? '' : `, a read takes ${ms(readMs)}`;
  const status = longestMs <= FOLLOWED_MS ? '' : `; status says: ${said.join(', ') || 'NOTHING'}`;
  return `${formatCount(orgs)} at once (in ${seconds(signedUpMs)}): ${wait}${read}${status}`;
}

/** What it costs, and what was lost; each with its goals below it. */
export function reportSignUps(measures: readonly SignUpMeasure[]): readonly string[] {
  const costs = measures.flatMap(({ source, orgs, inTurn, first }) => [
    costRow(source, orgs, inTurn),
    costRow(`${source}, first of its session`, orgs, first),
  ]);
  const losses = measures.flatMap(({ source, conditions }) =>
    conditions.map((measure) => [
      `${source}, ${measure.condition}`,
      formatCount(sumOf(measure.counts.map(({ asked }) => asked))),
      formatLosses(measure),
      percentiles(measure.bare),
      percentiles(measure.called),
      formatCount(measure.waiting),
      formatCount(sumOf(measure.counts.map(({ unrecorded }) => unrecorded))),
    ]),
  );
  const failures = `failed at ${TIMEOUTS_MS.join(', ')} ms (of a third without/of a third empty/with)`;
  return [
    ...formatTable([['source', 'orgs', 'insert p50 / p99', 'with us p50 / p99', 'p50 ratio', 'p99 ratio'], ...costs]),
    '',
    ...formatTable([
      ['source, beside', 'with us', failures, 'insert p50 / p99', 'with us p50 / p99', 'waiting', 'unrecorded'],
      ...losses,
    ]),
    '',
    ...measures.flatMap(({ source, crowds }) => crowds.map((crowd) => `on the ${source} ${formatCrowd(crowd)}`)),
    'goal: within 5 s, or status says why not',
    '',
    ...measures.map(({ source, left }) => `recorded on the ${source}, and left to the sweep: ${formatCount(left)}`),
    '',
    ...measures.map(({ source, inTurn }) =>
      formatGoal({
        what: `p99 of a sign-up on the ${source}`,
        value: findP99(inTurn.called),
        limit: source === 'table' ? 5 : 20,
        side: 'at most',
        unit: ' ms',
      }),
    ),
    ...measures.map(({ source, conditions }) =>
      formatGoal({
        what: `sign-ups lost because of us on the ${source}`,
        value: sumOf(conditions.flatMap(({ counts }) => counts.map(({ failed }) => failed.called))),
        limit: 0,
        side: 'at most',
        unit: '',
      }),
    ),
  ];
}
