// A call as a gateway describes it, checked. Bad input is a clear error: nothing is charged, nothing is lost.
import { randomBytes } from 'node:crypto';
import { MAX_CALL_SIZE } from '../domain/metering/price-call.js';
import type { CallShape } from '../domain/rate-card/call-costs.js';
import { quoteValue } from '../kernel/quote-value.js';
import { RolloutError } from '../kernel/rollout-error.js';

/** A call that asks, after its authentication. */
export interface MeteredCall extends CallShape {
  /** As the source has it. */
  readonly orgId: string;
  /** Unique while the call is in flight; whoever asks twice with it is charged once. Left out: a new one. */
  readonly callId?: string | undefined;
}

/** The same with an id. */
export type CheckedCall = MeteredCall & { readonly callId: string };

const MAX_ID = 200;
const MAX_KIND = 100;
const PROCESS = randomBytes(9).toString('base64url');
let made = 0;

/** @throws invalid_call */
export function parseCall(call: MeteredCall): CheckedCall {
  made += 1;
  const { orgId, kind, callId = `${PROCESS}${made.toString(36)}` } = call;
  rejectText('orgId', orgId, MAX_ID);
  rejectText('callId', callId, MAX_ID);
  rejectText('kind', kind, MAX_KIND);
  for (const key of ['records', 'from', 'limit'] as const) rejectSize(key, call[key]);
  return { ...call, callId };
}

function rejectText(key: string, value: unknown, longest: number): void {
  // a lone half of a pair could not be stored, and a control character only be meant to confuse
  if (typeof value === 'string' && value.length > 0 && value.length <= longest && !/[\p{Cc}\p{Cs}]/u.test(value))
    return;
  const rule = `a text of 1 to ${longest} characters without control characters`;
  throw new RolloutError('invalid_call', { message: `The ${key} of a call must be ${rule}.`, next: `Send ${key} so.` });
}

function rejectSize(key: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_CALL_SIZE) return;
  const shown = typeof value === 'number' ? String(value) : quoteValue(typeof value);
  throw new RolloutError('invalid_call', {
    message: `The ${key} of a call must be a whole number from 0 to ${MAX_CALL_SIZE}, not ${shown}.`,
    next: `Send ${key} as a number, or leave it out.`,
  });
}
