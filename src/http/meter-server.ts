// The meter for gateways in other languages: HTTP on a unix socket or on loopback, never on another address. There is
// no login, so whoever may connect may ask. Never writes an org id into a log.
//
// Why no Fastify: six routes need none of its plugins. Its parsing, its logging and its error pages would each have to
// be replaced, so that no org id gets into a log or an answer, and the bodies are checked by zod in either case.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type * as z from 'zod';
import type { CallCosts } from '../domain/rate-card/call-costs.js';
import { type ApiDetails, shareOfToday, unitOfToday } from '../domain/usage/api-details.js';
import { API_DETAILS_POLICY } from '../domain/usage/api-details-style.js';
import { describeCosts } from '../domain/usage/call-costs.js';
import { renderApiDetails } from '../domain/usage/render-api-details.js';
import { type Clock, isWithin } from '../kernel/clock.js';
import { isRolloutError } from '../kernel/rollout-error.js';
import type { Admission } from '../meter/admission.js';
import type { Meter, OrgDetails } from '../meter/create-meter.js';
import { createCallId, findBadCallStatus } from '../meter/metered-call.js';
import { isFromPage } from './from-page.js';
import {
  type AcquireBody,
  acquireBody,
  decodeExactly,
  describeBadCall,
  readCallHeaders,
  releaseBodies,
  releaseBody,
} from './meter-requests.js';

export interface MeterServerOptions {
  readonly meter: Meter;
  readonly clock: Clock;
  /** What the cell has of an org; undefined where no org has this id. */
  readonly findDetails: (orgId: string) => Promise<ApiDetails | undefined>;
  /** For the page. */
  readonly costs: CallCosts;
  /** Whether the limits of orgs could be read when they were read last. */
  readonly isCellRead: () => boolean;
}

const MAX_BODY_BYTES = 200_000;
/** A call that nobody has ended for so long no longer holds a slot: whoever asked may be gone. */
const MAX_CALL_MS = 60_000;

interface Held {
  readonly admission: Admission;
  readonly untilMs: number;
}

interface Answer {
  readonly status: number;
  /** A text is a page, anything else becomes JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** It does not listen yet. */
export function createMeterServer({ meter, clock, findDetails, costs, isCellRead }: MeterServerOptions): Server {
  /** Calls in flight by org and id, oldest first. */
  const held = new Map<string, Held>();

  async function acquire(asked: unknown, slot: 'held' | 'not held'): Promise<Answer> {
    const call = parseBody(acquireBody, asked);
    const callId = call.callId ?? createCallId();
    const admission = await meter.acquire({ ...call, callId });
    const { allowed, body, headers } = admission;
    if (!allowed) return { status: 429, body, headers };
    if (slot === 'held') hold(call, callId, admission);
    else admission.release();
    return { status: 200, body: { allowed, callId, headers }, headers: { ...headers, 'X-Call-Id': callId } };
  }

  /** A proxy sees no body of this answer, and may know 403 as the only refusal: then both are in headers. */
  async function authorize(request: IncomingMessage): Promise<Answer> {
    const { call, refuseStatus } = readCallHeaders(request);
    const answer = await acquire(call, 'not held').catch(toAnswer);
    if (refuseStatus !== 403 || answer.status < 400 || answer.status >= 500) return answer;
    const told = { 'X-Problem-Status': String(answer.status), 'X-Problem': toJson(answer.body) };
    return { ...answer, status: refuseStatus, headers: { ...answer.headers, ...told } };
  }

  function hold({ orgId }: AcquireBody, callId: string, admission: Admission): void {
    const nowMs = clock.now().getTime();
    for (const [key, { untilMs, admission: old }] of held) {
      if (isWithin(MAX_CALL_MS, untilMs - MAX_CALL_MS, nowMs)) break;
      held.delete(key);
      old.release();
    }
    // who asks twice has one call, which the first admission keeps
    const key = keyOf(orgId, callId);
    const first = held.get(key)?.admission ?? admission;
    held.delete(key);
    held.set(key, { admission: first, untilMs: nowMs + MAX_CALL_MS });
  }

  /** A call that is not in flight is counted as unknown, and changes nothing. */
  function release(asked: unknown): Answer {
    const calls = Array.isArray(asked) ? parseBody(releaseBodies, asked) : [parseBody(releaseBody, asked)];
    let released = 0;
    for (const { orgId, callId, status } of calls) {
      const key = keyOf(orgId, callId);
      const found = held.get(key);
      if (found === undefined) continue;
      held.delete(key);
      found.admission.release(status);
      released += 1;
    }
    return { status: 200, body: { released, unknown: calls.length - released } };
  }

  async function route(request: IncomingMessage): Promise<Answer> {
    const { method = '', url = '' } = request;
    const [path = ''] = url.split('?');
    if (path !== '/authorize' && isFromPage(request))
      return { status: 403, body: problem(403, 'invalid_call', NO_PAGES) };
    if (method === 'POST' && path === '/acquire') return acquire(await readJson(request), 'held');
    if (method === 'POST' && path === '/release') return release(await readJson(request));
    if (method === 'GET' && path === '/authorize') return authorize(request);
    if (method === 'GET' && path === '/health') return { status: 200, body: { ok: isCellRead(), ...meter.counts() } };
    const [, orgId, ending] = /^\/orgs\/([^/]+)\/api-details(\.html)?$/u.exec(path) ?? [];
    if (method === 'GET' && orgId !== undefined) {
      const form = ending === undefined ? chooseForm(request.headers.accept) : 'page';
      return showDetails(decodeOrgId(orgId), form);
    }
    return { status: 404, body: problem(404, 'not_found', 'There is no such path.') };
  }

  async function showDetails(orgId: string, form: 'page' | 'json'): Promise<Answer> {
    const stored = await findDetails(orgId);
    if (stored === undefined) return { status: 404, body: problem(404, 'org_not_found', NO_ORG) };
    // where the meter does not know, the rest is shown without it
    const details = await meter.details(stored.orgId).then(
      (now) => addMetered(stored, now),
      () => stored,
    );
    if (form === 'json') return { status: 200, body: { ...details, share: shareOfToday(details) }, headers: VARIES };
    const prices = costs.size === 0 ? {} : { prices: describeCosts(costs) };
    return { status: 200, body: renderApiDetails(details, prices), headers: PAGE_HEADERS };
  }

  return createServer((request, response) => {
    void route(request)
      .catch((error: unknown) => toAnswer(error))
      .then((answer) => send(response, answer))
      // an answer that cannot be sent ends one call, and never the meter
      .catch(() => response.destroy());
  });
}

const PROBLEM = 'application/problem+json';
/** Of every answer: it is for the one who asked, and never for a browser to guess at. */
const SAFE_HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
} as const;
const VARIES = { Vary: 'Accept' } as const;
/** The product may embed it in a page of its own origin. */
const PAGE_HEADERS = {
  ...VARIES,
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': `${API_DETAILS_POLICY}; frame-ancestors 'self'`,
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const;
const NO_PAGES =
  'A page of a browser may not ask here: only a gateway on this machine, by the address that is listened on.';
const NO_ORG = 'No org has this id.';

/** What only the meter knows; the number of today where both count in the same unit. */
function addMetered(stored: ApiDetails, { inFlight, limit, limits, usage }: OrgDetails): ApiDetails {
  const isSameUnit = (usage?.model ?? limits.model) === unitOfToday(stored);
  return { ...stored, inFlight, totalToday: isSameUnit && limit !== null ? BigInt(limit) : null };
}

const keyOf = (orgId: string, callId: string): string => `${orgId}\u0000${callId}`;

const problem = (status: number, code: string, detail: string) => ({
  type: 'about:blank',
  title: code,
  status,
  code,
  detail,
});

/** A request that was wrong; nothing was charged. */
class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

function parseBody<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BadRequest(describeBadCall(value, parsed.error));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    const bytes = Buffer.from(part);
    size += bytes.length;
    if (size > MAX_BODY_BYTES) throw new BadRequest(`The body has more than ${MAX_BODY_BYTES} bytes.`);
    parts.push(bytes);
  }
  try {
    return JSON.parse(decodeExactly(Buffer.concat(parts)));
  } catch {
    throw new BadRequest('The body is no JSON.');
  }
}

function decodeOrgId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new BadRequest('The org id in the path is not encoded as in a URL.');
  }
}

function toAnswer(error: unknown): Answer {
  if (error instanceof BadRequest) return { status: 400, body: problem(400, 'invalid_call', error.message) };
  const status = findBadCallStatus(error);
  if (status !== undefined && isRolloutError(error))
    return { status, body: problem(status, error.code, error.message) };
  if (isRolloutError(error) && (error.code === 'org_not_found' || error.code === 'invalid_org_id'))
    return { status: 404, body: problem(404, 'org_not_found', NO_ORG) };
  return { status: 500, body: problem(500, isRolloutError(error) ? error.code : 'internal', 'The meter failed.') };
}

function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const text = typeof body === 'string' ? body : toJson(body);
  const type = status >= 400 ? PROBLEM : 'application/json';
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    ...SAFE_HEADERS,
    ...headers,
  });
  response.end(text);
}

/** Numbers beyond what a double holds as text; ASCII only, so that it may stand in a header. */
const toJson = (body: unknown): string =>
  JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? String(value) : value)).replaceAll(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** What a caller asks for first. */
function chooseForm(accept = ''): 'page' | 'json' {
  const page = accept.search(/\btext\/html\b/iu);
  const json = accept.search(/\bapplication\/json\b/iu);
  return page >= 0 && (json < 0 || page < json) ? 'page' : 'json';
}
