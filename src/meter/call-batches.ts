// Sends what gateways ask in batches: the calls of one moment together. Picks the two days that the store may be in,
// and tells a store that was emptied what is known. Decides nothing.
import { findMeterDay, type MeterDay, nextMeterDay } from '../domain/meter/meter-day.js';
import type { AnswerNow } from '../stores/meter/memory-meter-store.js';
import type { AcquireRequest, AcquireResult, MeterStore, SeenUsage } from '../stores/meter/meter-store.js';
import { createReusedIdError } from './metered-call.js';

export interface BatchOptions {
  readonly store: Pick<MeterStore, 'acquire' | 'merge'>;
  readonly zone: string;
  /** The local clock, in ms: only a guess at the store's. */
  readonly now: () => number;
  /** What is known of orgs' days that the store does not know. Never rejects. */
  readonly listSeen: (requests: readonly AcquireRequest[], day: string) => Promise<readonly SeenUsage[]>;
}

export interface AnsweredRequest {
  readonly answer: AnswerNow;
  readonly day: MeterDay;
  readonly nowMs: number;
}

export interface DecidedRequest extends AnsweredRequest {
  readonly answer: Extract<AnswerNow, { kind: 'decided' }>;
}

/** @throws call_id_reused */
export function requireDecided(answered: AnsweredRequest): DecidedRequest {
  if (!isDecided(answered)) throw createReusedIdError();
  return answered;
}

const isDecided = (answered: AnsweredRequest): answered is DecidedRequest => answered.answer.kind === 'decided';

/** What becomes of a decided call. */
type Continue<T> = (decided: DecidedRequest) => T | Promise<T>;

export interface CallBatches {
  acquire<T>(request: AcquireRequest, then: Continue<T>): Promise<T>;
  /** Today and tomorrow, as the store's clock said last. */
  listDays(): readonly [MeterDay, MeterDay];
}

/** Calls in one script: no script may keep others waiting, and the first is answered while the last is sent. */
const MAX_BATCH = 32;

interface Waiting {
  readonly request: AcquireRequest;
  readonly decide: (decided: DecidedRequest) => void;
  readonly reject: (error: unknown) => void;
}

export function createCallBatches({ store, zone, now, listSeen }: BatchOptions): CallBatches {
  let days = daysAt(now(), zone);
  let waiting: Waiting[] = [];

  function sendAll(): void {
    const calls = waiting;
    waiting = [];
    if (calls.length <= MAX_BATCH) void send(calls);
    else for (let from = 0; from < calls.length; from += MAX_BATCH) void send(calls.slice(from, from + MAX_BATCH));
  }

  async function send(calls: readonly Waiting[]): Promise<void> {
    try {
      const { nowMs, day, answers } = await ask(calls.map(({ request }) => request));
      calls.forEach(({ decide, reject }, at) => {
        const answer = answers[at];
        if (answer?.kind === 'decided' && day !== null) decide({ answer, day, nowMs });
        else if (answer?.kind === 'reused') reject(createReusedIdError());
        else reject(new Error('the meter store did not decide a call'));
      });
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  }

  async function ask(requests: readonly AcquireRequest[]): Promise<AcquireResult> {
    let result = await store.acquire(days, requests);
    if (result.day === null) {
      days = daysAt(result.nowMs, zone);
      result = await store.acquire(days, requests);
    }
    const { day, answers } = result;
    if (day !== null && day.day === days[1].day) days = daysAt(result.nowMs, zone);
    const unknown = requests.filter((_, at) => answers[at]?.kind === 'unseeded');
    if (day === null || unknown.length === 0) return result;
    await store.merge(await listSeen(unknown, day.day), [day, nextMeterDay(day, zone)]);
    const again = await store.acquire(days, unknown);
    const answered = new Map(unknown.map((request, at) => [request, again.answers[at]] as const));
    return { ...result, answers: requests.flatMap((request, at) => answered.get(request) ?? answers[at] ?? []) };
  }

  return {
    acquire: (request, then) =>
      new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(sendAll);
        const decide = (decided: DecidedRequest): void => {
          try {
            resolve(then(decided));
          } catch (error) {
            reject(error);
          }
        };
        waiting.push({ request, decide, reject });
      }),
    listDays: () => days,
  };
}

function daysAt(atMs: number, zone: string): readonly [MeterDay, MeterDay] {
  const today = findMeterDay(atMs, zone);
  return [today, nextMeterDay(today, zone)];
}
