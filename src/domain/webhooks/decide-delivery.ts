// What follows an attempt to deliver a message: it is delivered, tried again later, or given up. Messages go to a
// webhook in their order, so a webhook that fails waits with all of them.
import { DAY_MS } from '../time/duration.js';

/** `code`: `http_503`, `timeout`, `redirected`. `refused`: the receiver will never take this very message. */
export type DeliveryOutcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'failed'; readonly code: string; readonly refused: boolean };

export interface Attempted {
  /** Failed attempts of this webhook since its last message that was taken, without this one. */
  readonly failures: number;
  /** Failed attempts of this message, without this one. */
  readonly attempts: number;
  /** Since the message was due, in ms. */
  readonly ageMs: number;
}

export interface DeliveryDecision {
  /** Of the message. `dead`: it is not tried again unless somebody asks for it. */
  readonly state: 'delivered' | 'waiting' | 'dead';
  /** Of the webhook, from now on. */
  readonly failures: number;
  /** Until the next attempt of this webhook, in ms. */
  readonly delayMs: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** From one failed attempt to the next; the last one repeats. */
export const RETRY_DELAYS_MS = [
  5 * SECOND_MS,
  30 * SECOND_MS,
  2 * MINUTE_MS,
  10 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  8 * HOUR_MS,
] as const;
/** A message that a receiver refuses so often is given up, so that the next ones are not kept back. */
export const MOST_REFUSALS = 3;
/** What could not be delivered for so long is no news any more. */
export const MOST_AGE_MS = DAY_MS;

export function decideDelivery(outcome: DeliveryOutcome, { failures, attempts, ageMs }: Attempted): DeliveryDecision {
  if (outcome.kind === 'accepted') return { state: 'delivered', failures: 0, delayMs: 0 };
  // it answers: the next message has its own chance
  if (outcome.refused && attempts + 1 >= MOST_REFUSALS) return { state: 'dead', failures: 0, delayMs: 0 };
  const delayMs = RETRY_DELAYS_MS[Math.min(failures, RETRY_DELAYS_MS.length - 1)] ?? HOUR_MS;
  return { state: ageMs >= MOST_AGE_MS ? 'dead' : 'waiting', failures: failures + 1, delayMs };
}

/** Statuses that speak of the message: asking again later would change nothing. */
const REFUSALS = [400, 405, 409, 410, 411, 413, 414, 415, 422, 431];

/** Of the status of an answer. */
export function readOutcome(status: number): DeliveryOutcome {
  if (status >= 200 && status < 300) return { kind: 'accepted' };
  if (status >= 300 && status < 400) return { kind: 'failed', code: 'redirected', refused: false };
  return { kind: 'failed', code: `http_${status}`, refused: REFUSALS.includes(status) };
}
