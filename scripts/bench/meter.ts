// What a metered call costs beside the ways in which others do it, on one Redis on loopback, all in the same run and in
// turn. A bare EVALSHA · B rate-limiter-flexible, credits only · C the same and Stripe's scripts for calls at once · D
// ours. Reports; judges nothing.
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { systemClock } from '../../src/kernel/clock.js';
import { createMeter, type Meter, type MeteredCall } from '../../src/meter/index.js';
import { connectMeterRedis, createRedisMeterStore } from '../../src/stores/meter/redis-meter-store.js';
import { type LocalRedis, startLocalRedis } from '../../test/support/local-redis.js';
import { findMedian } from './numbers.js';

/** One call of a contender, from the question to the end of its slot; resolves with whether it was allowed. */
export type MeterCallOf = (orgId: string, price: number) => Promise<boolean>;

export const METER_CONTENDERS = ['A', 'B', 'C', 'D'] as const;
export type MeterContender = (typeof METER_CONTENDERS)[number];

/** Calls in a second unless said otherwise; a median of the runs each. */
export interface MeterMeasure {
  readonly calls: ReadonlyMap<MeterContender, number>;
  /** At 5,000 calls a second, in ms. */
  readonly p99: ReadonlyMap<'B' | 'D', number>;
  readonly flood: number;
  readonly deadRedis: number;
  readonly firstAfterKillMs: number;
  readonly bytesPerOrg: number;
  /** Credits that eight gateways were granted of a limit, with prices from 1 to 100. */
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
const KINDS = ['get', 'create', 'update', 'list', 'search'];
const COSTS = new Map(KINDS.map((kind) => [kind, { kind: 'perRecords', credits: 1, records: 1 } as const]));
const RATE = 5000;
const RATE_SECONDS = 2;
const GATEWAYS = 8;
/** On a busy machine an answer in 50 ms is no matter of course, and from memory it would be another question. */
const PATIENT_MS = 10_000;

/** What rate-limiter-flexible is used for; a development dependency, loaded only here. */
interface RateLimiter {
  consume(key: string, points: number): Promise<unknown>;
}
interface RateLimiterLibrary {
  readonly RateLimiterRedis: new (options: object) => RateLimiter;
}
const LIBRARY = 'rate-limiter-flexible';

export async function measureMeter({ folder, runs, calls, print }: MeterQuestion): Promise<MeterMeasure> {
  const own = join(folder, 'meter');
  await mkdir(own, { recursive: true });
  const server = await startLocalRedis({ folder: own, extraArgs: ['--appendonly', 'no'] });
  try {
    const contenders = await openContenders(server.url);
    const times = new Map(METER_CONTENDERS.map((name) => [name, [] as number[]] as const));
    for (let run = 0; run <= runs; run += 1)
      for (const [name, call] of contenders.calls) {
        const perSecond = await measureThroughput(call, run === 0 ? Math.ceil(calls / 5) : calls);
        // the first run only warms up
        if (run > 0) times.get(name)?.push(perSecond);
        if (run > 0) print(`run ${run} of ${runs}: ${name} ${Math.round(perSecond)} calls/s`);
      }
    const latencies = { B: [] as number[], D: [] as number[] };
    for (let run = 1; run <= runs; run += 1)
      for (const name of ['B', 'D'] as const) latencies[name].push(await measureP99(contenders.get(name)));
    print('a flood of refused calls, eight gateways, a dead Redis');
    const bytesPerOrg = await measureBytes(server.url);
    const flood = await measureThroughput((_, price) => contenders.meter('full', price), calls * 5);
    const granted = await measureGranted(server.url);
    const dead = await measureDeadRedis(server, calls * 5);
    await contenders.close();
    return {
      calls: new Map([...times].map(([name, list]) => [name, findMedian(list)] as const)),
      p99: new Map([['B', findMedian(latencies.B)] as const, ['D', findMedian(latencies.D)] as const]),
      flood,
      ...dead,
      bytesPerOrg,
      granted,
    };
  } finally {
    await server.kill();
  }
}

interface Contenders {
  readonly calls: ReadonlyMap<MeterContender, MeterCallOf>;
  get(name: MeterContender): MeterCallOf;
  readonly meter: MeterCallOf;
  close(): Promise<void>;
}

async function openContenders(url: string): Promise<Contenders> {
  const redis = new Redis(url);
  redis.on('error', () => undefined);
  const meter = await openMeterAt(url, (orgId) => (orgId === 'full' ? 0n : 10n ** 15n));
  const limiter = await openLimiter(redis, 10 ** 12);
  const bare = await loadScript(redis, 'return 1');
  const take = await loadScript(redis, STRIPE_TAKE);
  const ask = callMeter(meter.meter);
  const consume = (orgId: string, price: number): Promise<boolean> =>
    limiter.consume(orgId, price).then(
      () => true,
      () => false,
    );
  let made = 0;
  const calls = new Map<MeterContender, MeterCallOf>([
    ['A', async (orgId) => (await redis.evalsha(bare, 1, orgId)) === 1],
    ['B', consume],
    [
      'C',
      async (orgId, price) => {
        if (!(await consume(orgId, price))) return false;
        made += 1;
        const [key, id] = [`slots:${orgId}`, String(made)];
        const taken = await redis.evalsha(take, 1, key, 1000, Date.now(), id, 60_000);
        await redis.zrem(key, id);
        return taken === 1;
      },
    ],
    ['D', ask],
  ]);
  return {
    calls,
    meter: ask,
    get: (name) => calls.get(name) ?? ask,
    close: async () => {
      await meter.close();
      redis.disconnect();
    },
  };
}

/** Stripe's script for calls at once (2017), with its clock as an argument. */
const STRIPE_TAKE = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', tonumber(ARGV[2]) - tonumber(ARGV[4]))
local count = redis.call('ZCARD', KEYS[1])
if count >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
return 1`;

async function loadScript(redis: Redis, lua: string): Promise<string> {
  await redis.script('LOAD', lua);
  return createHash('sha1').update(lua).digest('hex');
}

async function openLimiter(redis: Redis, points: number): Promise<RateLimiter> {
  const { RateLimiterRedis }: RateLimiterLibrary = await import(LIBRARY);
  return new RateLimiterRedis({ storeClient: redis, points, duration: 86_400, keyPrefix: 'b' });
}

async function openMeterAt(
  url: string,
  capacityOf: (orgId: string) => bigint,
  timeoutMs = PATIENT_MS,
): Promise<{ readonly meter: Meter; close(): Promise<void> }> {
  const redis = connectMeterRedis(url, { timeoutMs });
  await new Promise((resolve) => redis.once('ready', resolve));
  const meter = createMeter({
    zone: 'Asia/Kolkata',
    costs: COSTS,
    store: createRedisMeterStore(redis),
    readCapacity: async (ids) =>
      new Map(ids.map((id) => [id, { model: 'credits', capacity: capacityOf(id), concurrency: 1000 }] as const)),
  });
  return {
    meter,
    close: async () => {
      await meter.close();
      redis.disconnect();
    },
  };
}

function callMeter(meter: Meter): MeterCallOf {
  return async (orgId, price) => {
    const call: MeteredCall = { orgId, kind: 'update', records: price };
    const { allowed, release } = await meter.acquire(call);
    release(200);
    return allowed;
  };
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

async function measureGranted(url: string): Promise<MeterMeasure['granted']> {
  const limit = 20_000;
  const sums = { B: 0, D: 0 };
  const redis = new Redis(url);
  const limiter = await openLimiter(redis, limit);
  const gateways = await Promise.all(Array.from({ length: GATEWAYS }, () => openMeterAt(url, () => BigInt(limit))));
  // every gateway asks for everything, the dear calls first, so that the last credits go to calls of 1
  const prices = [...PRICES].reverse().flatMap((price) => [price, price]);
  await Promise.all(
    gateways.map(async ({ meter }) => {
      for (const price of prices) {
        if (await callMeter(meter)('granted', price)) sums.D += price;
        await limiter.consume('granted', price).then(
          () => {
            sums.B += price;
          },
          () => undefined,
        );
      }
    }),
  );
  for (const gateway of gateways) await gateway.close();
  redis.disconnect();
  return { limit, ...sums };
}

async function measureDeadRedis(
  server: LocalRedis,
  calls: number,
): Promise<Pick<MeterMeasure, 'deadRedis' | 'firstAfterKillMs'>> {
  const { meter, close } = await openMeterAt(server.url, () => 10n ** 15n, 50);
  const call = callMeter(meter);
  await call('org-0', 1);
  await server.kill();
  const began = nowMs();
  await call('org-0', 1);
  const firstAfterKillMs = nowMs() - began;
  const deadRedis = await measureThroughput(call, calls);
  await close();
  return { firstAfterKillMs, deadRedis };
}
