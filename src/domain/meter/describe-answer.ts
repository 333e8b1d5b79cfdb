// What a client is told: the headers of every answer, and the 429 of a refused call. Decides nothing and knows no
// clock.
import { DateTime } from 'luxon';
import { type CallDecision, type CallLimits, type DayState, findDayLimit, sumUsed } from './decide-call.js';
import type { MeterDay } from './meter-day.js';

/** What is known when a call was decided. */
export interface DecidedCall {
  readonly decision: CallDecision;
  /** After the call. */
  readonly state: DayState;
  readonly limits: CallLimits;
  /** Its price in credits. */
  readonly credits: number;
  readonly day: MeterDay;
  readonly nowMs: number;
  /** IANA name of the data center's zone. */
  readonly zone: string;
  /** 0 ≤ jitter < 1, drawn for this call: clients that wait for the reset must not all come at once. */
  readonly jitter: number;
}

/** RFC 9457, `application/problem+json`, with the problem type of the IETF draft on rate limit headers. */
export interface RefusalBody {
  readonly type: string;
  readonly title: string;
  readonly status: 429;
  readonly code: 'THRESHOLD_EXCEEDED' | 'TOO_MANY_REQUESTS';
  readonly detail: string;
  readonly 'violated-policies': readonly string[];
  /** What this call costs, in the unit of the day. */
  readonly price: number;
  readonly unit: 'credits' | 'calls';
  readonly left: number | null;
  readonly used: number;
  readonly total: number | null;
  readonly concurrency: { readonly inProgress: number; readonly limit: number | null };
  readonly resetsAt: string;
  readonly resetsAtLocal: string;
  readonly zone: string;
}

export type AnswerHeaders = Readonly<Record<string, string>>;

const PROBLEM_TYPE = 'https://iana.org/assignments/http-problem-types#quota-exceeded';
/** Clients come back within so many seconds after a reset. */
const RETRY_SPREAD_SECONDS = 120;

/** Headers of an answer, allowed or refused. A limit that is not enforced at all has none. */
export function describeHeaders(call: DecidedCall): AnswerHeaders {
  const { decision, state, limits, credits, day, nowMs } = call;
  const budget = readBudget(call);
  const policies: string[] = [];
  const levels: string[] = [];
  if (limits.enforceCredits !== 'off' && budget.total !== null) {
    policies.push(`"${budget.unit}";q=${budget.total};w=${Math.round((day.endMs - day.startMs) / 1000)}`);
    levels.push(`"${budget.unit}";r=${budget.left};t=${secondsToReset(day, nowMs)}`);
  }
  const slots = findSlots(state, limits);
  if (limits.enforceConcurrency !== 'off' && slots !== null) {
    policies.push(`"concurrency";q=${slots};qu="concurrent-requests"`);
    levels.push(`"concurrency";r=${Math.max(0, slots - state.inFlight)}`);
  }
  const retryAfter = decision.verdict === 'credits' ? findRetryAfter(call) : null;
  return {
    'X-Rate-Limit-Request-Weight-v3': String(state.model === 'legacy' ? 1 : credits),
    ...(limits.enforceCredits !== 'off' &&
      budget.left !== null && { 'X-Rate-Limit-Remaining-v3': String(budget.left) }),
    ...(policies.length > 0 && { 'RateLimit-Policy': policies.join(', '), RateLimit: levels.join(', ') }),
    ...(retryAfter !== null && { 'Retry-After': String(retryAfter) }),
  };
}

/** The body of a refused call; undefined for one that is allowed. */
export function describeRefusal(call: DecidedCall): RefusalBody | undefined {
  const { decision, state, limits, day, zone } = call;
  if (decision.verdict === 'allowed') return undefined;
  const { price, ...budget } = readBudget(call);
  const local = DateTime.fromMillis(day.endMs, { zone, locale: 'en' });
  const slots = findSlots(state, limits);
  const forCredits = decision.verdict === 'credits';
  return {
    type: PROBLEM_TYPE,
    title: forCredits ? `Not enough ${budget.unit} left today` : 'Too many calls at once',
    status: 429,
    code: forCredits ? 'THRESHOLD_EXCEEDED' : 'TOO_MANY_REQUESTS',
    detail: forCredits
      ? describeBudget({ price, ...budget }, `${local.toFormat('yyyy-MM-dd HH:mm')} (${zone})`)
      : `${showCount(state.inFlight, 'call')} of this organisation ${state.inFlight === 1 ? 'is' : 'are'} in progress, and its limit is ${slots ?? 0}. Send the next one when one has ended.`,
    'violated-policies': [forCredits ? budget.unit : 'concurrency'],
    price,
    ...budget,
    concurrency: { inProgress: state.inFlight, limit: slots },
    resetsAt: new Date(day.endMs).toISOString(),
    resetsAtLocal: local.toISO({ suppressMilliseconds: true }) ?? '',
    zone,
  };
}

interface Budget {
  readonly unit: 'credits' | 'calls';
  readonly price: number;
  readonly used: number;
  readonly left: number | null;
  readonly total: number | null;
}

function readBudget({ state, limits, credits }: DecidedCall): Budget {
  const total = findDayLimit(state, limits);
  const used = sumUsed(state);
  return {
    unit: state.model === 'legacy' ? 'calls' : 'credits',
    price: state.model === 'legacy' ? 1 : credits,
    used,
    left: total === null ? null : Math.max(0, total - used),
    total,
  };
}

function describeBudget({ unit, price, left, total }: Budget, reset: string): string {
  const costs = `This call costs ${showCount(price, unit.slice(0, -1))}`;
  if (price > (total ?? 0))
    return `${costs}, and a whole day has ${showCount(total ?? 0)}: waiting does not help. Ask for less in one call, or for more ${unit} a day.`;
  return `${costs}, and ${showCount(left ?? 0)} of today's ${showCount(total ?? 0)} are left. They are reset at ${reset}.`;
}

const showCount = (count: number, noun?: string): string =>
  `${count.toLocaleString('en')}${noun === undefined ? '' : ` ${noun}${count === 1 ? '' : 's'}`}`;

/** The concurrency that an org is held to: on credits, and on a day that began with them. */
const findSlots = (state: DayState, limits: CallLimits): number | null =>
  state.model === 'credits' && limits.model === 'credits' ? limits.concurrency : null;

const secondsToReset = ({ endMs }: MeterDay, nowMs: number): number => Math.max(0, Math.ceil((endMs - nowMs) / 1000));

/** Null where waiting does not help: the call costs more than a whole day has. */
function findRetryAfter(call: DecidedCall): number | null {
  const { price, total } = readBudget(call);
  if (total === null || price > total) return null;
  return secondsToReset(call.day, call.nowMs) + Math.floor(call.jitter * (RETRY_SPREAD_SECONDS + 1));
}
