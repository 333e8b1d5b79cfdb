// The report of the mode `traffic`: ratios within one run, since a machine's speed changes by the hour. Pure.
import { findMedian, formatCount, formatMs, formatTable } from './numbers.js';
import { formatGoal } from './report.js';
import {
  LOADS,
  type Load,
  TRAFFIC_CONTENDERS,
  type TrafficContender,
  type TrafficMeasure,
  type TrafficReport,
} from './traffic.js';

const lossOf = ({ before, beside }: TrafficMeasure): number => 100 * (1 - beside.perSecond / before.perSecond);
const p99RatioOf = ({ before, beside }: TrafficMeasure): number => beside.p99Ms / before.p99Ms;
const timeRatioOf = ({ aloneMs, ms }: TrafficMeasure): number => ms / aloneMs;

export function reportTraffic({ measures, looks }: TrafficReport): readonly string[] {
  const of = (contender: TrafficContender, load: Load, read: (measure: TrafficMeasure) => number): number =>
    findMedian(measures.filter((one) => one.contender === contender && one.load === load).map(read));
  const rows = LOADS.flatMap((load) =>
    TRAFFIC_CONTENDERS.map((contender) => [
      `${contender}, ${load}`,
      formatMs(of(contender, load, ({ aloneMs }) => aloneMs)),
      formatMs(of(contender, load, ({ ms }) => ms)),
      `${of(contender, load, timeRatioOf).toFixed(2)} ×`,
      formatCount(Math.round(of(contender, load, ({ before }) => before.perSecond))),
      formatCount(Math.round(of(contender, load, ({ beside }) => beside.perSecond))),
      `${of(contender, load, lossOf).toFixed(1)} %`,
      `${of(contender, load, p99RatioOf).toFixed(2)} ×`,
    ]),
  );
  const head = ['job, traffic', 'alone', 'beside it', 'ratio', 'a second before', 'beside it', 'loss', 'its p99'];
  const goal = (what: string, value: number, limit: number, unit: string): string =>
    formatGoal({ what, value, limit, side: 'at most', unit });
  return [
    ...formatTable([head, ...rows]),
    ...measures.flatMap(({ lanes, load }) =>
      lanes === undefined ? [] : [`product, ${load}: ${lanes.mean.toFixed(2)} lanes on average, ${lanes.why}`],
    ),
    '',
    goal('loss at 60 %', of('product', '60 %', lossOf), 3, ' %'),
    goal('p99 at 60 %, with / without', of('product', '60 %', p99RatioOf), 2, ''),
    goal('rollout at 60 % / alone', of('product', '60 %', timeRatioOf), 3, ''),
    goal('loss, unlimited', of('product', 'unlimited', lossOf), 15, ' %'),
    goal('one look at the checks', findMedian(looks), 5, ' ms'),
  ];
}
