// How long it takes to bring what a meter's Redis counted into a cell: of every org its first counters of a day, and
// the same again when each has grown. Reports; judges nothing.
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { findMeterDay, nextMeterDay } from '../../src/domain/meter/meter-day.js';
import { createEmptyUsage } from '../../src/domain/meter/usage.js';
import { drainUsage } from '../../src/engine/usage/drain-usage.js';
import type { MeterStore, SeenUsage } from '../../src/stores/meter/meter-store.js';
import { connectMeterRedis, createRedisMeterStore } from '../../src/stores/meter/redis-meter-store.js';
import { startLocalRedis } from '../../test/support/local-redis.js';
import { DATA_CENTER, loadOrgs } from './bed.js';
import { findMedian } from './numbers.js';
import { initProduct } from './product.js';
import type { BenchRun } from './run-bench.js';

export interface DrainMeasure {
  readonly orgs: number;
  readonly firstMs: number;
  readonly grownMs: number;
  /** The longest that a call of a gateway waited meanwhile: no script may keep others waiting. */
  readonly longestCallMs: number;
}

const ORGS = 100_000;
const TOLD_AT_ONCE = 500;
const KINDS = ['get', 'create', 'update', 'list', 'search'];
const PATIENT_MS = 10_000;

export async function measureDrain({ server, options, worker, print }: BenchRun): Promise<DrainMeasure> {
  const folder = join(server.folder, 'drain');
  await mkdir(folder, { recursive: true });
  await loadOrgs({ server, cell: 'bench_cell', orgs: 1, options, worker });
  const { program } = await initProduct({ server, options, worker, cell: 'bench_cell' });
  const redisServer = await startLocalRedis({ folder, extraArgs: ['--appendonly', 'no'] });
  const redis = connectMeterRedis(redisServer.url, { timeoutMs: PATIENT_MS });
  try {
    await new Promise((resolve) => redis.once('ready', resolve));
    const store = createRedisMeterStore(redis);
    const cell = program.worker.cells.get(DATA_CENTER.id);
    const times = { first: [] as number[], grown: [] as number[], calls: [] as number[] };
    for (let run = 1; run <= options.runs; run += 1) {
      for (const which of ['first', 'grown'] as const) {
        await tellAll(store, run, which === 'first' ? 1 : 2);
        const endWatching = await watchCalls(redisServer.url);
        const began = performance.now();
        const drained = await drainUsage(cell, store);
        times[which].push(performance.now() - began);
        times.calls.push(await endWatching());
        print(
          `run ${run} of ${options.runs}: drained ${drained} orgs (${which}) in ${Math.round(times[which].at(-1) ?? 0)} ms`,
        );
      }
    }
    return {
      orgs: ORGS,
      firstMs: findMedian(times.first),
      grownMs: findMedian(times.grown),
      longestCallMs: findMedian(times.calls),
    };
  } finally {
    redis.disconnect();
    await redisServer.kill();
    await program.close();
  }
}

/** In each run other orgs; `times` as many calls of each kind. */
async function tellAll(store: MeterStore, run: number, times: number): Promise<void> {
  const day = findMeterDay(Date.now(), DATA_CENTER.zone);
  const days = [day, nextMeterDay(day, DATA_CENTER.zone)] as const;
  const kinds = Object.fromEntries(KINDS.map((kind) => [kind, { calls: 10 * times, credits: 30 * times }]));
  const usage = (n: number): SeenUsage => ({
    ...createEmptyUsage(String(run * 10_000_000 + n), day.day, 'credits'),
    calls: 50 * times,
    credits: 150 * times,
    peakInFlight: 3,
    kinds,
    capacity: 150_000,
    epoch: null,
  });
  for (let from = 0; from < ORGS; from += TOLD_AT_ONCE)
    await store.merge(
      Array.from({ length: TOLD_AT_ONCE }, (_, at) => usage(from + at)),
      days,
    );
}

/** From a thread of its own, as a gateway is another process. Returns what ends it and says how long one waited. */
async function watchCalls(url: string): Promise<() => Promise<number>> {
  const watcher = new Worker(new URL('./watch-calls.js', import.meta.url), { workerData: url });
  await once(watcher, 'message');
  return async () => {
    watcher.postMessage('end');
    const [longestMs] = await once(watcher, 'message');
    await once(watcher, 'exit');
    return Number(longestMs);
  };
}
