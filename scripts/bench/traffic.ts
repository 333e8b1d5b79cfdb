// What a rollout takes of the product's traffic while it runs, and what the traffic takes of it: pgbench on the cell,
// at 60 % of what it can do and without a limit, with the product and with two other ways to do the same job in turn.
import { systemClock } from '../../src/kernel/clock.js';
import { type BenchBed, type Beside, orgId, resetTarget } from './bed.js';
import type { Print } from './compare.js';
import { withClient } from './database.js';
import { measureInsertSelect } from './insert-select.js';
import { measureKnexLoop } from './knex-loop.js';
import { measureLook } from './look.js';
import { findMedian, formatCount, formatMs } from './numbers.js';
import { findPgbench, initPgbench, type LoggedTransaction, startTraffic, type TrafficOptions } from './pgbench.js';
import { measureProduct } from './product.js';

export const TRAFFIC_CONTENDERS = ['product', 'insert-select', 'knex-loop'] as const;
export type TrafficContender = (typeof TRAFFIC_CONTENDERS)[number];
export const LOADS = ['60 %', 'unlimited'] as const;
export type Load = (typeof LOADS)[number];

/** Of the product's traffic in one stretch of time. */
export interface TrafficNumbers {
  readonly perSecond: number;
  readonly p99Ms: number;
}

export interface TrafficMeasure {
  readonly contender: TrafficContender;
  readonly load: Load;
  /** The whole job without traffic just before, and with it: for the product from the request to the stage done. */
  readonly aloneMs: number;
  readonly ms: number;
  /** The traffic just before the job, and beside it. */
  readonly before: TrafficNumbers;
  readonly beside: TrafficNumbers;
  /** Mean of the lanes that the checks gave, and what held most: of the product only. */
  readonly lanes?: LaneNumbers | undefined;
}

interface LaneNumbers {
  readonly mean: number;
  readonly why: string;
}

export interface TrafficReport {
  readonly measures: readonly TrafficMeasure[];
  /** How long one sampling of the default checks takes, in ms. */
  readonly looks: readonly number[];
}

const CLIENTS = 4;
const SHARE = 0.6;
/** Before the job, and after it until it is ended: its newest lines may not be in the file yet. */
const BEFORE_MS = 10_000;
const AFTER_MS = 3_000;
const SHORT_MS = 1_000;

/** One edit in a hundred changes what an org gets; the others touch it as products do all the time. */
const scriptsOf = (orgs: number): TrafficOptions['scripts'] => {
  const pick = `\\set id random(${orgId(1)}, ${orgId(orgs)})`;
  return [
    { sql: 'tpcb-like', weight: 50 },
    { sql: `${pick}\nselect name, edition, agents from public.orgs where org_id = :id;`, weight: 300 },
    { sql: `${pick}\nupdate public.orgs set updated_at = now() where org_id = :id;`, weight: 99 },
    { sql: `${pick}\nupdate public.orgs set agents = agents + 1, updated_at = now() where org_id = :id;`, weight: 1 },
  ];
};

/** @throws where pgbench is not installed */
export async function measureTraffic(bed: BenchBed, print: Print): Promise<TrafficReport> {
  const pgbench = await findPgbench();
  if (pgbench === undefined) throw new Error('pgbench is not installed: set CREDIT_ROLLOUT_PG_BIN to where it is');
  const short = bed.orgs < 50_000;
  await initPgbench(pgbench, bed.server.url(bed.cell), short ? 1 : 10);
  const given = {
    ...{ pgbench, url: bed.server.url(bed.cell), clients: CLIENTS, folder: bed.server.folder },
    scripts: scriptsOf(bed.orgs),
    beforeMs: short ? SHORT_MS : BEFORE_MS,
  };
  const measures: TrafficMeasure[] = [];
  const looks: number[] = [];
  for (let run = 1; run <= bed.options.runs; run += 1)
    for (const contender of TRAFFIC_CONTENDERS) {
      const aloneMs = await timeJob(bed, contender);
      print(`run ${run} of ${bed.options.runs}: ${contender} alone ${formatMs(aloneMs)}`);
      if (contender === 'product') looks.push(...(await measureLook(bed)));
      for (const load of LOADS) {
        const measure = await measureJob(bed, { contender, load, aloneMs }, given);
        measures.push(measure);
        print(`${contender}, traffic ${load}: ${formatMs(measure.ms)}, ${describeTraffic(measure)}`);
      }
    }
  return { measures, looks };
}

const describeTraffic = ({ before, beside, lanes }: TrafficMeasure): string =>
  `${formatCount(Math.round(before.perSecond))} → ${formatCount(Math.round(beside.perSecond))} a second, p99 ${before.p99Ms.toFixed(1)} → ${beside.p99Ms.toFixed(1)} ms${lanes === undefined ? '' : `, ${lanes.mean.toFixed(2)} lanes, ${lanes.why}`}`;

async function runJob(bed: BenchBed, contender: TrafficContender, beside: Beside): Promise<void> {
  if (contender === 'product') await measureProduct(bed, beside);
  else if (contender === 'insert-select') await measureInsertSelect(bed, beside);
  else await measureKnexLoop(bed, beside);
}

async function timeJob(bed: BenchBed, contender: TrafficContender): Promise<number> {
  let ms = Number.NaN;
  await runJob(bed, contender, async (work) => {
    const began = performance.now();
    const result = await work();
    ms = performance.now() - began;
    return result;
  });
  return ms;
}

interface Given extends TrafficOptions {
  readonly beforeMs: number;
}

async function measureJob(
  bed: BenchBed,
  what: Pick<TrafficMeasure, 'contender' | 'load' | 'aloneMs'>,
  given: Given,
): Promise<TrafficMeasure> {
  const found: { traffic?: BesideNumbers; lanes?: LaneNumbers } = {};
  await runJob(bed, what.contender, async (work) => {
    const watching = new AbortController();
    // just before, since what the machine can do changes by the minute
    const rate = what.load === 'unlimited' ? undefined : SHARE * (await measureCapacity(given));
    const traffic = await measureBeside({ ...given, rate }, async () => {
      const watched = what.contender === 'product' ? watchLanes(bed, watching.signal) : undefined;
      try {
        return await work();
      } finally {
        watching.abort();
        const lanes = await watched;
        if (lanes !== undefined) found.lanes = lanes;
      }
    });
    found.traffic = traffic;
    return traffic.result;
  });
  const { traffic, lanes } = found;
  if (traffic === undefined) throw new Error(`${what.contender} did not run`);
  await resetTarget(bed);
  return { ...what, ms: traffic.ms, before: traffic.before, beside: traffic.beside, lanes };
}

const measureCapacity = async (given: Given): Promise<number> =>
  (await measureBeside(given, async () => undefined)).before.perSecond;

type BesideNumbers = Pick<TrafficMeasure, 'ms' | 'before' | 'beside'>;

async function measureBeside<T>(given: Given, work: () => Promise<T>): Promise<BesideNumbers & { readonly result: T }> {
  const traffic = await startTraffic(given);
  let stopped: Promise<readonly LoggedTransaction[]> | undefined;
  try {
    await systemClock.sleep(SHORT_MS);
    const readyAt = Date.now();
    await systemClock.sleep(given.beforeMs);
    const beganAt = Date.now();
    const result = await work();
    const endedAt = Date.now();
    await systemClock.sleep(AFTER_MS);
    stopped = traffic.stop();
    const logged = await stopped;
    return {
      result,
      ms: endedAt - beganAt,
      before: summarize(logged, readyAt, beganAt),
      beside: summarize(logged, beganAt, endedAt),
    };
  } finally {
    if (stopped === undefined) await traffic.stop();
  }
}

function summarize(logged: readonly LoggedTransaction[], from: number, to: number): TrafficNumbers {
  const times = logged.filter(({ endedAt }) => endedAt >= from && endedAt < to).map(({ ms }) => ms);
  const sorted = times.toSorted((one, other) => one - other);
  return {
    perSecond: (sorted.length * 1_000) / Math.max(1, to - from),
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
  };
}

const WATCH_MS = 1_000;

/** The lanes at each second, and the check that was nearest to its limit most often. */
async function watchLanes(bed: BenchBed, stopping: AbortSignal): Promise<LaneNumbers> {
  const lanes: number[] = [];
  const worst = new Map<string, number[]>();
  await withClient(bed.server.url(bed.cell), async (client) => {
    while (!stopping.aborted) {
      const { rows } = await client.query<{
        readonly lanes: number | null;
        readonly name: string;
        readonly value: number;
      }>(
        `select t.lanes, c.name, c.value from credit_rollout.throttle t, credit_rollout.checks c
         where t.scope = 'write' and c.value is not null
         order by case c.name when 'probe' then c.value - 1 else c.value / c.limit_value end desc limit 1`,
      );
      const [row] = rows;
      if (row !== undefined) {
        lanes.push(row.lanes ?? 0);
        worst.set(row.name, [...(worst.get(row.name) ?? []), row.value]);
      }
      await systemClock.sleep(WATCH_MS, stopping);
    }
  });
  const [most] = [...worst].toSorted(([, one], [, other]) => other.length - one.length);
  return {
    mean: lanes.reduce((sum, one) => sum + one, 0) / Math.max(1, lanes.length),
    why: most === undefined ? 'no reading' : `${most[0]} ${findMedian(most[1]).toFixed(2)}`,
  };
}
