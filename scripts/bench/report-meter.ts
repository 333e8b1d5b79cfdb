// The lines about the meter: its figures as ratios, each beside its goal.
import type { DrainMeasure } from './drain.js';
import type { MeterMeasure } from './meter.js';
import type { MeterContender } from './meter-contenders.js';
import { findMedian, formatTable } from './numbers.js';

export function reportMeter(measure: MeterMeasure, drain: DrainMeasure): readonly string[] {
  const { calls, p99, firstAfterKillMs, bytesPerOrg, granted } = measure;
  const of = (name: MeterContender): readonly number[] => calls.get(name) ?? [];
  const beside = (name: MeterContender, other: MeterContender): number => findMedianRatio(of(name), of(other));
  const count = (value: number): string => Math.round(value).toLocaleString('en');
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const contenders = [
    ['A', 'A a bare EVALSHA'],
    ['B', 'B rate-limiter-flexible, credits only'],
    ['C', 'C B, and scripts for calls at once'],
    ['D', 'D the meter'],
    ['flood', 'D, all calls refused'],
    ['dead', 'D, its Redis dead'],
  ] as const;
  const latencies = `${findMedian(p99.D).toFixed(2)} ms, ${findMedian(p99.B).toFixed(2)} ms`;
  return [
    ...formatTable([
      ['contender', 'calls/s', 'of B'],
      ...contenders.map(([name, title]) => [title, count(findMedian(of(name))), beside(name, 'B').toFixed(2)]),
    ]),
    '',
    ...formatTable([
      ['figure', 'measured', 'goal'],
      ['D / C, calls a second', beside('D', 'C').toFixed(2), '≥ 1.5'],
      ['D / B, calls a second', beside('D', 'B').toFixed(2), '≥ 0.8'],
      ['p99 at 5,000 calls/s, D / B', `${findMedianRatio(p99.D, p99.B).toFixed(2)} (${latencies})`, '≤ 1.3'],
      ['flood of refused calls / B', beside('flood', 'B').toFixed(1), '≥ 20'],
      ['dead Redis / B', beside('dead', 'B').toFixed(1), '≥ 20'],
      ['first answer after kill -9', `${firstAfterKillMs.toFixed(1)} ms`, '≤ 60 ms'],
      ['bytes of Redis per org and day', count(bytesPerOrg), '≤ 400'],
      [`granted of ${count(granted.limit)}, 8 processes`, `${count(granted.D)} (B: ${count(granted.B)})`, 'all'],
      [`drain of ${count(drain.orgs)} orgs, a day's first`, seconds(drain.firstMs), '≤ 3 s'],
      ['the same when all have grown', seconds(drain.grownMs), '≤ 3 s'],
      ['longest wait of a call meanwhile', `${drain.longestCallMs.toFixed(0)} ms`, '≤ 20 ms'],
    ]),
  ];
}

/** Of what was measured side by side, run by run. */
const findMedianRatio = (ones: readonly number[], others: readonly number[]): number =>
  findMedian(ones.map((one, run) => one / (others[run] ?? Number.NaN)));
