// What the meter is asked over HTTP: bodies, and headers in the style of auth_request. Parses; decides nothing.
import type { IncomingHttpHeaders } from 'node:http';
import * as z from 'zod';
import { MAX_CALL_SIZE } from '../domain/metering/price-call.js';
import { MAX_ORG_ID_BYTES } from '../domain/source/org-id.js';

const size = z.int().min(0).max(MAX_CALL_SIZE).optional();
const id = z.string().min(1).max(MAX_ORG_ID_BYTES);
/** It comes back as a header, which has no other characters. */
const callId = z.string().regex(/^[\x21-\x7e]{1,200}$/u, 'must have 1 to 200 characters of ASCII and no blank');

export const acquireBody = z.strictObject({
  orgId: id,
  kind: z.string().min(1).max(100),
  callId: callId.optional(),
  records: size,
  from: size,
  limit: size,
});

/** One call that has ended, or up to a thousand. */
export const releaseBody = z.strictObject({ orgId: id, callId, status: z.int().min(100).max(599).optional() });
export const releaseBodies = z.array(releaseBody).max(1000);

export type AcquireBody = z.output<typeof acquireBody>;

/** Of a request that a proxy sends before each call, and the status that it understands as a refusal. */
export interface AskedByHeaders {
  readonly call: unknown;
  readonly refuseStatus: 403 | 429;
}

/** `X-Org-Id`, `X-Call-Kind`, and where they matter `X-Call-Records`, `X-Call-From`, `X-Call-Limit`, `X-Call-Id`. */
export function readCallHeaders(headers: IncomingHttpHeaders): AskedByHeaders {
  const text = (name: string): string | null | undefined => {
    const value = headers[name];
    return typeof value === 'string' && value !== '' ? decodeUtf8(value) : undefined;
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

/** Node reads each byte of a header as one character, and proxies send UTF-8. Null, which is rejected: it is none. */
function decodeUtf8(value: string): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(value, 'latin1'));
  } catch {
    return null;
  }
}
