// A call as a gateway describes it, checked. Bad input is a clear error: nothing is charged, nothing is lost.
import { MAX_CALL_SIZE } from '../domain/meter/price-call.js';
import type { CallShape } from '../domain/rate-card/call-costs.js';
import { MAX_ORG_ID_BYTES } from '../domain/source/org-id.js';
import { quoteValue } from '../kernel/quote-value.js';
import { isRolloutError, RolloutError } from '../kernel/rollout-error.js';
import { makeCallId, toCallText } from '../stores/meter/call-id.js';

/** A call that asks, after its authentication. */
export interface MeteredCall extends CallShape {
  /** As the source has it. */
  readonly orgId: string;
  /**
   * Unique while the call is in flight: who asks twice with it, for the same kind and price, is charged once. Never one
   * that a client chose. Left out: a new one.
   */
  readonly callId?: string | undefined;
}

const MAX_CALL_ID = 200;
const MAX_KIND = 100;

/** A text as an id, for a call that brought none. */
export const createCallId = (): string => toCallText(makeCallId());
/** What is known to be right is not looked at again: this is asked for every call. */
export interface KnownParts {
  readonly org: boolean;
  readonly kind: boolean;
}

/** @throws invalid_call */
export function rejectBadCall({ orgId, callId, kind, records, from, limit }: MeteredCall, known: KnownParts): void {
  if (!known.org) rejectText('orgId', orgId, MAX_ORG_ID_BYTES);
  if (!known.kind) rejectText('kind', kind, MAX_KIND);
  if (callId !== undefined) rejectText('callId', callId, MAX_CALL_ID);
  if (records !== undefined) rejectSize('records', records);
  if (from !== undefined) rejectSize('from', from);
  if (limit !== undefined) rejectSize('limit', limit);
}

function rejectText(key: string, value: unknown, longest: number): void {
  // a lone half of a pair could not be stored, and a control character only be meant to confuse
  if (typeof value === 'string' && value.length > 0 && value.length <= longest && !/[\p{Cc}\p{Cs}]/u.test(value))
    return;
  const rule = `a text of 1 to ${longest} characters without control characters`;
  throw new RolloutError('invalid_call', { message: `The ${key} of a call must be ${rule}.`, next: `Send ${key} so.` });
}

function rejectSize(key: string, value: unknown): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_CALL_SIZE) return;
  const shown = typeof value === 'number' ? String(value) : quoteValue(typeof value);
  throw new RolloutError('invalid_call', {
    message: `The ${key} of a call must be a whole number from 0 to ${MAX_CALL_SIZE}, not ${shown}.`,
    next: `Send ${key} as a number, or leave it out.`,
  });
}

/** Nothing was charged for the second one. */
export const createReusedIdError = (): RolloutError =>
  new RolloutError('call_id_reused', {
    message: 'The callId of a call is that of a call in flight with another kind or price.',
    next: 'Give each call an id of its own, and ask again only with the same parts.',
  });

/** The HTTP status for a call that can be answered with nothing else; undefined: the meter failed. */
export function findBadCallStatus(error: unknown): 400 | 409 | undefined {
  if (!isRolloutError(error)) return undefined;
  if (error.code === 'call_id_reused') return 409;
  return error.code === 'invalid_call' ? 400 : undefined;
}
