// What the meter is asked over HTTP: bodies, and headers in the style of auth_request. Parses; decides nothing.
import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { MAX_CALL_SIZE } from '../domain/meter/price-call.js';
import { MAX_ORG_ID_BYTES } from '../domain/source/org-id.js';
import { quoteValue } from '../kernel/quote-value.js';

const SIZE = `must be a whole number from 0 to ${MAX_CALL_SIZE}`;
const size = z.int(SIZE).min(0, SIZE).max(MAX_CALL_SIZE, SIZE).optional();
const word = (longest: number) => {
  const rule = `must be a text of 1 to ${longest} characters`;
  return z.string(rule).min(1, rule).max(longest, rule);
};
const id = word(MAX_ORG_ID_BYTES);
/** It comes back as a header, which has no other characters. */
const CALL_ID = 'must be a text of 1 to 200 characters of ASCII without a blank';
const callId = z.string(CALL_ID).regex(/^[\x21-\x7e]{1,200}$/u, CALL_ID);

export const acquireBody = z.strictObject({
  orgId: id,
  kind: word(100),
  callId: callId.optional(),
  records: size,
  from: size,
  limit: size,
});

/** One call that has ended, or up to a thousand. */
const STATUS = 'must be a whole number from 100 to 599, the status that the call ended with';
export const releaseBody = z.strictObject({
  orgId: id,
  callId,
  status: z.int(STATUS).min(100, STATUS).max(599, STATUS).optional(),
});
export const releaseBodies = z.array(releaseBody).max(1000, 'must be a list of at most 1,000 calls');

export type AcquireBody = z.output<typeof acquireBody>;

/** What is wrong first, as a sentence: the part, the rule, and what was sent. No text is repeated. */
export function describeBadCall(value: unknown, { issues }: Pick<z.ZodError, 'issues'>): string {
  const [issue] = issues;
  if (issue === undefined) return 'The request is wrong.';
  const place = issue.path.join('.');
  const whole = place === '' ? 'The request' : place;
  if (issue.code === 'unrecognized_keys')
    return `${whole} has the unknown key ${quoteValue(issue.keys[0] ?? '')}; leave it out.`;
  const given = issue.path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown> | null)?.[key], value);
  const rule = issue.message.startsWith('must') ? issue.message : 'must be an object, as the documentation shows';
  return `${whole} ${rule}; it is ${showGiven(given)}.`;
}

function showGiven(given: unknown): string {
  if (given === undefined) return 'missing';
  if (typeof given === 'number' || typeof given === 'boolean' || given === null) return String(given);
  // in a wrong place, too, it may be an id
  if (typeof given === 'string') return `a text of ${given.length} characters`;
  return Array.isArray(given) ? `a list of ${given.length}` : 'an object';
}

/** Of a request that a proxy sends before each call, and the status that it understands as a refusal. */
export interface AskedByHeaders {
  readonly call: unknown;
  readonly refuseStatus: 403 | 429;
}

/** `X-Org-Id`, `X-Call-Kind`, and where they matter `X-Call-Records`, `X-Call-From`, `X-Call-Limit`, `X-Call-Id`. */
export function readCallHeaders({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>): AskedByHeaders {
  const text = (name: string): string | null | undefined => {
    const [value = '', ...more] = headersDistinct[name] ?? [];
    // a proxy that adds and does not set would let its client name another org: null, which is rejected
    if (more.length > 0) return null;
    return value === '' ? undefined : decodeUtf8(value);
  };
  // what is no number stays a text, and is rejected as one
  const number = (name: string): unknown => {
    const value = text(name);
    return typeof value === 'string' && /^\d{1,10}$/u.test(value) ? Number(value) : value;
  };
  return {
    call: {
      orgId: text('x-org-id'),
      kind: text('x-call-kind'),
      callId: text('x-call-id'),
      records: number('x-call-records'),
      from: number('x-call-from'),
      limit: number('x-call-limit'),
    },
    refuseStatus: text('x-refuse-status') === '403' ? 403 : 429,
  };
}

/** A text in which each byte has its meaning: throws where it is no UTF-8, so that two texts never become one. */
export const decodeExactly = (bytes: Buffer): string =>
  new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

/** Node reads each byte of a header as one character, and proxies send UTF-8. Null, which is rejected: it is none. */
function decodeUtf8(value: string): string | null {
  try {
    return decodeExactly(Buffer.from(value, 'latin1'));
  } catch {
    return null;
  }
}
