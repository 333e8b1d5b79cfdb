// The meter's counters on a data center's meter Redis. Every step is one script; nothing is sent twice by itself, and
// an answer that does not come in time is an error. Never the queue's Redis: org ids must not leave their data center.
import { createHash } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';
import { type CallDecision, type CallLimits, ENFORCEMENTS } from '../../domain/meter/decide-call.js';
import type { MeterDay } from '../../domain/meter/meter-day.js';
import { USAGE_COUNTERS } from '../../domain/meter/usage.js';
import { addLocalDays } from '../../domain/time/local-date.js';
import { toCallText } from './call-id.js';
import {
  type AcquireAnswer,
  type AcquireRequest,
  KEPT_AFTER_DAY_MS,
  LEASE_MS,
  type MeterStore,
  MeterStoreError,
  type SeenUsage,
} from './meter-store.js';
import { readCollected, readDay } from './read-hash.js';
import { ACQUIRE, ANSWER, ANSWER_NUMBERS, RELEASE, RENEW } from './scripts.js';
import { COLLECT, FIND, MERGE } from './usage-scripts.js';

/** Of this form of the keys: a Redis that holds those of another is as one that was emptied. */
const PREFIX = 'n:';

export interface MeterRedisOptions {
  /** Left out: 50 ms. */
  readonly timeoutMs?: number;
  readonly tls?: ConnectionOptions | false;
  /** `once`: it connects when it is told to, and does not try again. Left out: at once, for ever. */
  readonly tries?: 'once' | 'for ever';
}

/**
 * A connection for a meter. A command that cannot be sent at once fails, and so does one that was sent and not answered
 * in time, or lost with its connection: whether it was done is then not known, and it is not sent again.
 */
export function connectMeterRedis(url: string, options: MeterRedisOptions = {}): Redis {
  const { timeoutMs = 50, tls = false, tries = 'for ever' } = options;
  const redis = new Redis(url, {
    ...(tls !== false && { tls }),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: timeoutMs,
    connectTimeout: 2000,
    lazyConnect: tries === 'once',
    retryStrategy: (attempt) => (tries === 'once' ? null : Math.min(50 * attempt, 1000)),
  });
  // the meter learns of it by its commands; without a listener the process would end
  redis.on('error', () => undefined);
  return redis;
}

/** Tests may give the clock, in ms; left out, it is Redis's own. */
export function createRedisMeterStore(redis: Redis, now?: () => number): MeterStore {
  const clock = (): number => (now === undefined ? -1 : now());
  const run = async ({ lua, sha }: Script, values: readonly Argument[]): Promise<unknown> => {
    const json = JSON.stringify(values);
    try {
      return await redis.callBuffer('EVALSHA', sha, 0, json);
    } catch (error) {
      if (!isForgotten(error)) throw toStoreError(error);
    }
    // the server has never seen the script, or forgot it: nothing of it ran
    return redis.callBuffer('EVAL', lua, 0, json).catch((error: unknown) => Promise.reject(toStoreError(error)));
  };

  return {
    acquire: async (days, calls) => {
      const values: Argument[] = [PREFIX, clock(), LEASE_MS, KEPT_AFTER_DAY_MS, addLocalDays(days[0].day, -1)];
      for (const { day, startMs, endMs } of days) values.push(day, startMs, endMs);
      for (const call of calls) pushCall(values, call);
      const numbers = toDoubles(await run(SCRIPTS.acquire, values));
      const day = days[numbers.getFloat64(8, true) - 1] ?? null;
      return {
        nowMs: numbers.getFloat64(0, true),
        day,
        epoch: day === null ? null : numbers.getFloat64(16, true),
        answers: day === null ? [] : calls.map((_, at) => readAnswer(numbers, 24 + at * ANSWER_BYTES)),
      };
    },
    release: async (ended, refusals) => {
      const values: Argument[] = [PREFIX, clock(), ended.length];
      for (const { orgId, callId, day, outcome } of ended)
        values.push(orgId, toCallText(callId), day, outcome === 'given back' ? 1 : 0);
      for (const { orgId, day, byCredits, byConcurrency } of refusals)
        values.push(orgId, day, byCredits, byConcurrency);
      await run(SCRIPTS.release, values);
    },
    renew: async (calls, as) => {
      const values = calls.flatMap((call) => [call.orgId, toCallText(call.callId), call.day, call.kind, call.credits]);
      const gives = as === 'restored' ? 1 : 0;
      await run(SCRIPTS.renew, [PREFIX, clock(), LEASE_MS, KEPT_AFTER_DAY_MS, gives, ...values]);
    },
    merge: async (seen, days) => {
      if (seen.length > 0)
        await run(SCRIPTS.merge, [PREFIX, clock(), '', ...seen.flatMap((one) => listMerged(one, days))]);
    },
    add: async (id, spent, days) => {
      if (spent.length > 0)
        await run(SCRIPTS.merge, [PREFIX, clock(), id, ...spent.flatMap((one) => listMerged(one, days))]);
    },
    find: async (orgId, day) => {
      const found = await run(SCRIPTS.find, [PREFIX, clock(), orgId, day]);
      const [hash, inFlight] = found as readonly [readonly Buffer[], number];
      const known = readDay(orgId, day, hash);
      return known && { ...known, inFlight };
    },
    collect: async (limit, call) => {
      return readCollected(toBuffer(await run(SCRIPTS.collect, [PREFIX, -1, limit, call === 'first' ? 1 : 0])));
    },
    confirm: async (stored) => {
      if (stored.length === 0) return;
      await redis.srem(`${PREFIX}collected`, ...stored.map(({ orgId, day }) => `${day}:${orgId}`));
    },
  };
}

const isForgotten = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT');

/** Redis said no, or the command was never sent: then nothing was done. Otherwise nobody knows. */
function toStoreError(error: unknown): MeterStoreError {
  const { name = '', message = '' } = error instanceof Error ? error : {};
  const notDone = name === 'ReplyError' || message.startsWith("Stream isn't writeable");
  return new MeterStoreError(notDone ? 'not_done' : 'unknown', error);
}

type Argument = string | number;

interface Script {
  readonly lua: string;
  readonly sha: string;
}

const toScript = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') });
const SCRIPTS = {
  acquire: toScript(ACQUIRE),
  release: toScript(RELEASE),
  renew: toScript(RENEW),
  merge: toScript(MERGE),
  find: toScript(FIND),
  collect: toScript(COLLECT),
} as const;

const toFlags = ({ model, enforceCredits, enforceConcurrency }: CallLimits): number =>
  (model === 'credits' ? 9 : 0) + 3 * ENFORCEMENTS.indexOf(enforceCredits) + ENFORCEMENTS.indexOf(enforceConcurrency);

function pushCall(args: Argument[], { orgId, callId, kind, credits, limits }: AcquireRequest): void {
  const { capacity, concurrency } = limits;
  args.push(orgId, toCallText(callId), kind, credits, toFlags(limits), capacity ?? -1, concurrency ?? -1);
}

const DECISIONS: ReadonlyMap<number, CallDecision> = new Map<number, CallDecision>([
  [ANSWER.allowed, { verdict: 'allowed', shadow: null }],
  [ANSWER.repeated, { verdict: 'allowed', shadow: null }],
  [ANSWER.refusedByCredits, { verdict: 'credits', shadow: null }],
  [ANSWER.refusedByConcurrency, { verdict: 'concurrency', shadow: null }],
  [ANSWER.shadowByCredits, { verdict: 'allowed', shadow: 'credits' }],
  [ANSWER.shadowByConcurrency, { verdict: 'allowed', shadow: 'concurrency' }],
]);

const ANSWER_BYTES = ANSWER_NUMBERS * 8;

function toBuffer(answer: unknown): Buffer {
  if (!Buffer.isBuffer(answer)) throw new Error('the meter Redis answered something else');
  return answer;
}

function toDoubles(answer: unknown): DataView {
  const { buffer, byteOffset, byteLength } = toBuffer(answer);
  return new DataView(buffer, byteOffset, byteLength);
}

function readAnswer(numbers: DataView, at: number): AcquireAnswer {
  const what = numbers.getFloat64(at, true);
  if (what === ANSWER.unseeded) return { kind: 'unseeded' };
  if (what === ANSWER.reused) return { kind: 'reused' };
  const decision = DECISIONS.get(what);
  if (decision === undefined) throw new Error('the meter Redis answered something else');
  const toCapacity = (number: number): number | null => (number < 0 ? null : number);
  return {
    kind: 'decided',
    decision,
    repeated: what === ANSWER.repeated,
    state: {
      calls: numbers.getFloat64(at + 8, true),
      credits: numbers.getFloat64(at + 16, true),
      callsGivenBack: numbers.getFloat64(at + 24, true),
      creditsGivenBack: numbers.getFloat64(at + 32, true),
      inFlight: numbers.getFloat64(at + 40, true),
      model: numbers.getFloat64(at + 48, true) === 0 ? 'legacy' : 'credits',
      capacity: toCapacity(numbers.getFloat64(at + 56, true)),
      otherCapacity: toCapacity(numbers.getFloat64(at + 64, true)),
    },
  };
}

function listMerged(seen: SeenUsage, days: readonly MeterDay[]): readonly Argument[] {
  const day = days.find((one) => one.day === seen.day);
  const kinds = Object.entries(seen.kinds);
  return [
    `${seen.day}:${seen.orgId}`,
    day === undefined ? 0 : day.endMs + KEPT_AFTER_DAY_MS,
    seen.model === 'legacy' ? 0 : 1,
    seen.capacity ?? -1,
    seen.epoch ?? -1,
    ...USAGE_COUNTERS.map((name) => seen[name]),
    seen.otherCapacity ?? -1,
    kinds.length,
    ...kinds.flatMap(([kind, { calls, credits }]) => [kind, calls, credits]),
  ];
}
