// The lines about the meter: its figures as ratios, each beside its goal.
import type { DrainMeasure } from './drain.js';
import type { MeterMeasure } from './meter.js';
import { formatTable } from './numbers.js';

export function reportMeter(measure: MeterMeasure, drain: DrainMeasure): readonly string[] {
  const { calls, p99, flood, deadRedis, firstAfterKillMs, bytesPerOrg, granted } = measure;
  const of = (name: 'A' | 'B' | 'C' | 'D'): number => calls.get(name) ?? Number.NaN;
  const count = (value: number): string => Math.round(value).toLocaleString('en');
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const [b, d] = [p99.get('B') ?? Number.NaN, p99.get('D') ?? Number.NaN];
  const contenders = [
    ['A', 'a bare EVALSHA'],
    ['B', 'rate-limiter-flexible, credits only'],
    ['C', 'B, and scripts for calls at once'],
    ['D', 'the meter'],
  ] as const;
  return [
    ...formatTable([
      ['contender', 'calls/s', 'of B'],
      ...contenders.map(([name, title]) => [`${name} ${title}`, count(of(name)), (of(name) / of('B')).toFixed(2)]),
    ]),
    '',
    ...formatTable([
      ['figure', 'measured', 'goal'],
      ['D / C, calls a second', (of('D') / of('C')).toFixed(2), '≥ 1.5'],
      ['D / B, calls a second', (of('D') / of('B')).toFixed(2), '≥ 0.8'],
      ['p99 at 5,000 calls/s, D / B', `${(d / b).toFixed(2)} (${d.toFixed(2)} ms, ${b.toFixed(2)} ms)`, '≤ 1.3'],
      ['flood of refused calls / B', (flood / of('B')).toFixed(1), '≥ 20'],
      ['dead Redis / B', (deadRedis / of('B')).toFixed(1), '≥ 20'],
      ['first answer after kill -9', `${firstAfterKillMs.toFixed(1)} ms`, '≤ 60 ms'],
      ['bytes of Redis per org and day', count(bytesPerOrg), '≤ 400'],
      [`granted of ${count(granted.limit)}, 8 gateways`, `${count(granted.D)} (B: ${count(granted.B)})`, 'all'],
      [`drain of ${count(drain.orgs)} orgs, a day's first`, seconds(drain.firstMs), '≤ 3 s'],
      ['the same when all have grown', seconds(drain.grownMs), '≤ 3 s'],
      ['longest wait of a call meanwhile', `${drain.longestCallMs.toFixed(0)} ms`, '≤ 20 ms'],
    ]),
  ];
}
