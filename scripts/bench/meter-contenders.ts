// Those whose calls are measured, each ready to be called: a bare EVALSHA · B rate-limiter-flexible, credits only · C the
// same and Stripe's scripts for calls at once · D ours · and ours again, refusing, and without its Redis.
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createMeter, type Meter, type MeteredCall } from '../../src/meter/index.js';
import { connectMeterRedis, createRedisMeterStore } from '../../src/stores/meter/redis-meter-store.js';
import { startLocalRedis } from '../../test/support/local-redis.js';

/** One call of a contender, from the question to the end of its slot; resolves with whether it was allowed. */
export type MeterCallOf = (orgId: string, price: number) => Promise<boolean>;

export const METER_CONTENDERS = ['A', 'B', 'C', 'D', 'flood', 'dead'] as const;
export type MeterContender = (typeof METER_CONTENDERS)[number];

export const KINDS = ['get', 'create', 'update', 'list', 'search'];
const COSTS = new Map(KINDS.map((kind) => [kind, { kind: 'perRecords', credits: 1, records: 1 } as const]));
/** On a busy machine an answer in 50 ms is no matter of course, and from memory it would be another question. */
const PATIENT_MS = 10_000;
const GATEWAY_MS = 50;

/** What rate-limiter-flexible is used for; a development dependency, loaded only here. */
interface RateLimiter {
  consume(key: string, points: number): Promise<unknown>;
}
interface RateLimiterLibrary {
  readonly RateLimiterRedis: new (options: object) => RateLimiter;
}
const LIBRARY = 'rate-limiter-flexible';

export interface Contenders {
  readonly calls: ReadonlyMap<MeterContender, MeterCallOf>;
  /** Of the first call after the Redis of `dead` was killed. */
  readonly firstAfterKillMs: number;
  close(): Promise<void>;
}

export async function openContenders(url: string, folder: string): Promise<Contenders> {
  const redis = new Redis(url);
  redis.on('error', () => undefined);
  const meter = await openMeterAt(url, (orgId) => (orgId === 'full' ? 0n : 10n ** 15n));
  const limiter = await openLimiter(redis, 10 ** 12);
  const bare = await loadScript(redis, 'return 1');
  const take = await loadScript(redis, STRIPE_TAKE);
  const ask = callMeter(meter.meter);
  const dead = await openDeadMeter(folder);
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
    ['flood', (_, price) => ask('full', price)],
    ['dead', callMeter(dead.meter)],
  ]);
  return {
    calls,
    firstAfterKillMs: dead.firstAfterKillMs,
    close: async () => {
      await meter.close();
      await dead.close();
      redis.disconnect();
    },
  };
}

/** Of a gateway whose Redis was killed just now, beside the one that the others ask. */
async function openDeadMeter(folder: string): Promise<OpenMeter & Pick<Contenders, 'firstAfterKillMs'>> {
  const own = join(folder, 'dead');
  await mkdir(own);
  const server = await startLocalRedis({ folder: own, extraArgs: ['--appendonly', 'no'] });
  const opened = await openMeterAt(server.url, () => 10n ** 15n, GATEWAY_MS);
  const call = callMeter(opened.meter);
  await call('org-0', 1);
  await server.kill();
  const began = performance.now();
  await call('org-0', 1);
  return { ...opened, firstAfterKillMs: performance.now() - began };
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

export async function openLimiter(redis: Redis, points: number): Promise<RateLimiter> {
  const { RateLimiterRedis }: RateLimiterLibrary = await import(LIBRARY);
  return new RateLimiterRedis({ storeClient: redis, points, duration: 86_400, keyPrefix: 'b' });
}

interface OpenMeter {
  readonly meter: Meter;
  close(): Promise<void>;
}

export async function openMeterAt(
  url: string,
  capacityOf: (orgId: string) => bigint,
  timeoutMs = PATIENT_MS,
): Promise<OpenMeter> {
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

export function callMeter(meter: Meter): MeterCallOf {
  return async (orgId, price) => {
    const call: MeteredCall = { orgId, kind: 'update', records: price };
    const { allowed, release } = await meter.acquire(call);
    release(200);
    return allowed;
  };
}
