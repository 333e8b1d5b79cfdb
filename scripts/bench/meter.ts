// What a metered call costs beside the ways in which others do it, on one Redis on loopback, all in the same run and in
// turn: a machine's speed changes by the minute, so that only what was measured side by side is compared. Reports;
// judges nothing.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { systemClock } from '../../src/kernel/clock.js';
import { startLocalRedis } from '../../test/support/local-redis.js';
import type { Granted, GrantingQuestion } from './granting-gateway.js';
import {
  KINDS,
  METER_CONTENDERS,
  type MeterCallOf,
  type MeterContender,
  openContenders,
  openMeterAt,
} from './meter-contenders.js';

export interface MeterMeasure {
  /** Calls in a second, of each run. */
  readonly calls: ReadonlyMap<MeterContender, readonly number[]>;
  /** At 5,000 calls a second, in ms, of each run. */
  readonly p99: { readonly B: readonly number[]; readonly D: readonly number[] };
  readonly firstAfterKillMs: number;
  readonly bytesPerOrg: number;
  /** Credits that eight processes were granted of a limit, with prices from 1 to 100. */
  readonly granted: { readonly limit: number; readonly D: number; readonly B: number };
}

export interface MeterQuestion {
  readonly folder: string;
  readonly runs: number;
  /** Calls of each contender in a run. */
  readonly calls: number;
  readonly print: (line: string) => void;
}

const IN_FLIGHT = 64;
const ORGS = 100;
const PRICES = Array.from({ length: 100 }, (_, at) => at + 1);
const RATE = 5000;
const RATE_SECONDS = 2;
const GATEWAYS = 8;
/** What asks no Redis is over too soon. */
const LOCAL_TIMES = 5;

export async function measureMeter({ folder, runs, calls, print }: MeterQuestion): Promise<MeterMeasure> {
  const own = join(folder, 'meter');
  await mkdir(own, { recursive: true });
  const server = await startLocalRedis({ folder: own, extraArgs: ['--appendonly', 'no'] });
  try {
    const contenders = await openContenders(server.url, own);
    const times = new Map(METER_CONTENDERS.map((name) => [name, [] as number[]] as const));
    for (let run = 0; run <= runs; run += 1)
      for (const [name, call] of contenders.calls) {
        const asked = (name === 'flood' || name === 'dead' ? LOCAL_TIMES : 1) * calls;
        // the first run only warms up: code that is new is compiled many times over
        const perSecond = await measureThroughput(call, asked);
        if (run > 0) times.get(name)?.push(perSecond);
        if (run > 0) print(`run ${run} of ${runs}: ${name} ${Math.round(perSecond)} calls/s`);
      }
    const latencies = { B: [] as number[], D: [] as number[] };
    for (let run = 1; run <= runs; run += 1)
      for (const name of ['B', 'D'] as const) {
        const call = contenders.calls.get(name);
        if (call !== undefined) latencies[name].push(await measureP99(call));
      }
    print('eight gateways, bytes of Redis');
    const bytesPerOrg = await measureBytes(server.url);
    const granted = await measureGranted(server.url);
    await contenders.close();
    return { calls: times, p99: latencies, firstAfterKillMs: contenders.firstAfterKillMs, bytesPerOrg, granted };
  } finally {
    await server.kill();
  }
}

const orgOf = (at: number): string => `org-${at % ORGS}`;
const priceOf = (at: number): number => PRICES[(at * 37) % PRICES.length] ?? 1;
const nowMs = (): number => performance.now();

/** Calls a second, with so many in flight. */
async function measureThroughput(call: MeterCallOf, calls: number): Promise<number> {
  let next = 0;
  const began = nowMs();
  const lane = async (): Promise<void> => {
    for (let at = next++; at < calls; at = next++) await call(orgOf(at), priceOf(at));
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return (calls / (nowMs() - began)) * 1000;
}

/** In ms, at a fixed rate: a call that is sent late counts from when it should have been sent. */
async function measureP99(call: MeterCallOf): Promise<number> {
  const latencies: number[] = [];
  const open: Promise<unknown>[] = [];
  const began = nowMs();
  const calls = RATE * RATE_SECONDS;
  for (let sent = 0; sent < calls; ) {
    const due = Math.min(calls, Math.floor(((nowMs() - began) / 1000) * RATE) + 1);
    for (; sent < due; sent += 1) {
      const dueMs = began + (sent / RATE) * 1000;
      open.push(call(orgOf(sent), priceOf(sent)).then(() => latencies.push(nowMs() - dueMs)));
    }
    await systemClock.sleep(1);
  }
  await Promise.all(open);
  latencies.sort((a, b) => a - b);
  return latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN;
}

/** Of an org with a day's calls of five kinds and one in flight, its place in the list of what is to drain included. */
async function measureBytes(url: string): Promise<number> {
  const { meter, close } = await openMeterAt(url, () => 10n ** 12n);
  const redis = new Redis(url);
  const ids = Array.from({ length: 1000 }, (_, at) => `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`);
  const before = await readMemory(redis);
  for (const orgId of ids) for (const kind of KINDS) (await meter.acquire({ orgId, kind })).release();
  await systemClock.sleep(50);
  for (const orgId of ids) await meter.acquire({ orgId, kind: 'get' });
  const after = await readMemory(redis);
  await close();
  redis.disconnect();
  return (after - before) / ids.length;
}

async function readMemory(redis: Redis): Promise<number> {
  const [, bytes] = /used_memory_dataset:(\d+)/.exec(await redis.info('memory')) ?? [];
  return Number(bytes);
}

/** By gateways in processes of their own, that begin together. */
async function measureGranted(url: string): Promise<MeterMeasure['granted']> {
  const limit = 20_000;
  // every gateway asks for everything, the dear calls first, so that the last credits go to calls of 1
  const prices = [...PRICES].reverse().flatMap((price) => [price, price]);
  const gateways = Array.from({ length: GATEWAYS }, () => fork(new URL('./granting-gateway.js', import.meta.url)));
  await Promise.all(gateways.map((gateway) => ask(gateway, { url, limit, prices } satisfies GrantingQuestion)));
  const granted = (await Promise.all(gateways.map((gateway) => ask(gateway, 'begin')))) as readonly Granted[];
  const sum = (name: 'B' | 'D'): number => granted.reduce((all, one) => all + one[name], 0);
  return { limit, B: sum('B'), D: sum('D') };
}

/** The answer of a process that ends with an error is missed. */
async function ask(gateway: ChildProcess, message: GrantingQuestion | 'begin'): Promise<unknown> {
  const ended = once(gateway, 'exit').then(() => Promise.reject(new Error('a gateway ended before it answered')));
  const answered = once(gateway, 'message');
  gateway.send(message);
  const [answer] = await Promise.race([answered, ended]);
  return answer;
}
