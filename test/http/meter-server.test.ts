// The meter over HTTP, as a gateway in another language sees it: on loopback and on a unix socket.
import { mkdtemp, rm } from 'node:fs/promises';
import { type RequestOptions, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseRateCard } from '../../src/domain/rate-card/parse-rate-card.js';
import { createMeterServer } from '../../src/http/meter-server.js';
import { systemClock } from '../../src/kernel/clock.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import { sampleCardText } from '../domain/rate-card/sample-card.js';
import { sampleDetails } from '../domain/usage/sample-details.js';
import { onCredits, openMeter } from '../metering/meter-scene.js';

const { costs } = parseRateCard(sampleCardText);

interface Reply {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const listen = (server: Server, where: string | number): Promise<void> =>
  new Promise((resolve) => server.listen(where, resolve as () => void));

async function open(where: 'loopback' | 'socket' = 'loopback') {
  const scene = openMeter(createMemoryMeterStore(() => Date.now()));
  const server = createMeterServer({
    isCellRead: () => true,
    meter: scene.meter,
    clock: systemClock,
    findDetails: async (orgId) => (orgId === 'c' ? undefined : sampleDetails({ orgId, total: 2n ** 60n })),
    costs,
  });
  const folder = await mkdtemp(join(tmpdir(), 'meter-'));
  const path = join(folder, 'meter.sock');
  await (where === 'socket'
    ? listen(server, path)
    : new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  closers.push(
    () => rm(folder, { recursive: true }),
    () => scene.meter.close(),
    () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  );
  const place: RequestOptions =
    where === 'socket' ? { socketPath: path } : { port: (server.address() as AddressInfo).port, host: '127.0.0.1' };
  const ask = (options: RequestOptions, body?: unknown): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const asked = request({ agent: false, ...place, ...options }, (response) => {
        let text = '';
        response.on('data', (part) => {
          text += String(part);
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode,
            headers: response.headers,
            body: String(response.headers['content-type']).includes('json') ? JSON.parse(text) : {},
            text,
          }),
        );
      });
      asked.on('error', reject);
      asked.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
    });
  const post = (target: string, body: unknown): Promise<Reply> => ask({ method: 'POST', path: target }, body);
  return { ...scene, ask, post };
}

test.each(['\u20ac1', 'a b', 'a\n', ''])(
  'a callId that no header can hold (%j) is refused, and nothing is charged',
  async (callId) => {
    const { orgs, ask, post } = await open();
    orgs.set('7', onCredits(60));
    expect(await post('/acquire', { orgId: '7', kind: 'count', callId })).toMatchObject({
      status: 400,
      body: { code: 'invalid_call', detail: expect.stringContaining('callId') },
    });
    const { headers } = await post('/acquire', { orgId: '7', kind: 'count', callId: 'a-1' });
    expect(headers).toMatchObject({ 'x-rate-limit-remaining-v3': '10', 'x-call-id': 'a-1' });
    expect((await ask({ path: '/health' })).status).toBe(200);
  },
);

describe('a page of a browser', () => {
  const call = { orgId: '7', kind: 'count' };
  const askWith = async (where: 'loopback' | 'socket', headers: Readonly<Record<string, string>>) => {
    const { orgs, ask } = await open(where);
    orgs.set('7', onCredits(600));
    const byHeaders = { 'x-org-id': '7', 'x-call-kind': 'count', ...headers };
    const replies = [
      await ask({ method: 'POST', path: '/acquire', headers }, call),
      await ask({ path: '/orgs/a%2Fb/api-details', headers }),
      await ask({ path: '/authorize', headers: byHeaders }),
    ];
    return replies.map(({ status }) => status);
  };

  test.each([
    { origin: 'http://evil.example' },
    { host: 'evil.example' },
    { host: '127.0.0.1.evil.example:80' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('asks nothing of a port (%j); a proxy may forward it to /authorize', async (headers) => {
    expect(await askWith('loopback', headers)).toEqual([403, 403, 200]);
  });

  test.each([{ host: 'localhost:8429' }, { host: '[::1]:8429' }, { 'sec-fetch-site': 'none' }, {}])(
    'is not what a gateway sends (%j)',
    async (headers) => {
      expect(await askWith('loopback', headers)).toEqual([200, 200, 200]);
    },
  );

  test('cannot reach a socket, where headers say nothing', async () => {
    expect(await askWith('socket', { origin: 'http://shop.example', host: 'shop.example' })).toEqual([200, 200, 200]);
  });
});

describe('POST /acquire', () => {
  test.each(['loopback', 'socket'] as const)('allows, and refuses with a 429 that says why, on a %s', async (where) => {
    const { orgs, post } = await open(where);
    orgs.set('7', onCredits(60));
    const allowed = await post('/acquire', { orgId: '7', kind: 'count' });
    expect(allowed).toMatchObject({
      status: 200,
      headers: { 'x-rate-limit-remaining-v3': '10' },
      body: { allowed: true, callId: expect.any(String) },
    });
    const refused = await post('/acquire', { orgId: '7', kind: 'count' });
    expect(refused).toMatchObject({
      status: 429,
      headers: { 'content-type': 'application/problem+json', 'retry-after': expect.any(String) },
      body: { code: 'THRESHOLD_EXCEEDED', left: 10 },
    });
  });

  test.each([
    ['{', 'no JSON'],
    [[], 'must be an object'],
    [{ orgId: 7, kind: 'get' }, 'orgId'],
    [{ orgId: '7', kind: 'get', records: -1 }, 'records'],
    [{ orgId: '7', kind: 'get', price: 0 }, 'price'],
    [{ orgId: '7', kind: 'list', from: 1_000_000_001 }, 'from'],
    [{ orgId: '7', kind: 'list', limit: 1.5 }, 'limit must be a whole number from 0 to 1000000000; it is 1.5.'],
    [{ orgId: '7', kind: 'list', limit: '10' }, 'limit'],
    [{ orgId: '7'.repeat(2_001), kind: 'get' }, 'orgId'],
    [{ orgId: '7', kind: 'g'.repeat(101) }, 'kind'],
    [{ orgId: '7', kind: 'get', callId: 'c'.repeat(201) }, 'callId'],
    [{ orgId: '', kind: 'get' }, 'orgId'],
    [{ orgId: '7', kind: null }, 'kind must be a text of 1 to 100 characters; it is null.'],
    [{ orgId: '7', kind: 'get', size: 1 }, 'The request has the unknown key "size"; leave it out.'],
    [{ orgId: '8'.repeat(2_001), kind: 'get' }, 'it is a text of 2001 characters.'],
    ['null', 'The request must be an object'],
    [{ orgId: 'a\u0000', kind: 'get' }, 'orgId'],
    ['x'.repeat(200_001), 'bytes'],
  ])('rejects %j and charges nothing', async (body, part) => {
    const { post, readings } = await open();
    const reply = await post('/acquire', body);
    expect(reply).toMatchObject({ status: 400, body: { code: 'invalid_call', detail: expect.stringContaining(part) } });
    expect(readings).toEqual([]);
  });
});

test('POST /acquire counts a kind that the card does not have at 1, as the unknown kind', async () => {
  const { orgs, post, events } = await open();
  orgs.set('7', onCredits(60));
  const reply = await post('/acquire', { orgId: '7', kind: 'teleport' });
  expect(reply).toMatchObject({ status: 200, headers: { 'x-rate-limit-request-weight-v3': '1' } });
  expect(events).toEqual([{ kind: 'unknown_kind', calls: 1 }]);
});

describe('POST /release', () => {
  test.each([
    [{ orgId: '7' }, 'callId'],
    [{ orgId: '7', callId: 'a', status: 99 }, 'status'],
    [{ orgId: 7, callId: 'a' }, 'orgId'],
    [[{ orgId: '7', callId: 'a' }, { orgId: '7' }], '1.callId must be a text of 1 to 200 characters of ASCII'],
    ['[1', 'no JSON'],
  ])('rejects %j as a whole and names %s, and every call keeps its slot', async (body, part) => {
    const { orgs, post } = await open();
    orgs.set('7', onCredits(100, 1));
    await post('/acquire', { orgId: '7', callId: 'a', kind: 'get' });
    expect(await post('/release', body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_call', detail: expect.stringContaining(part) },
    });
    expect(await post('/release', [])).toMatchObject({ status: 200, body: { released: 0, unknown: 0 } });
    expect((await post('/acquire', { orgId: '7', kind: 'get' })).body).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    expect(await post('/release', { orgId: '7', callId: 'a' })).toMatchObject({ body: { released: 1 } });
  });

  test('frees slots, one or many, gives back after a 5xx, and knows nothing of other calls', async () => {
    const { orgs, post } = await open();
    orgs.set('7', onCredits(100, 2));
    for (const callId of ['a', 'b']) await post('/acquire', { orgId: '7', callId, kind: 'get' });
    const full = await post('/acquire', { orgId: '7', kind: 'get' });
    expect(full.body).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    const ended = [
      { orgId: '7', callId: 'a', status: 500 },
      { orgId: '7', callId: 'b' },
      { orgId: '8', callId: 'a' },
    ];
    expect(await post('/release', ended)).toMatchObject({ status: 200, body: { released: 2, unknown: 1 } });
    expect(await post('/release', ended[0])).toMatchObject({ body: { released: 0, unknown: 1 } });
    await systemClock.sleep(20); // the batch of releases leaves after 5 ms
    const next = await post('/acquire', { orgId: '7', kind: 'get' });
    // 100 − 1 of b − 1 of this one: that of a was given back
    expect(next.headers).toMatchObject({ 'x-rate-limit-remaining-v3': '98' });
  });
});

describe('GET /authorize', () => {
  test('answers by its status, as proxies ask, and holds no slot', async () => {
    const { orgs, ask } = await open();
    orgs.set('7', onCredits(8, 1));
    const headers = { 'X-Org-Id': '7', 'X-Call-Kind': 'list', 'X-Call-From': '2000', 'X-Call-Limit': '10' };
    expect(await ask({ path: '/authorize', headers })).toMatchObject({
      status: 200,
      headers: { 'x-rate-limit-request-weight-v3': '5' },
    });
    expect((await ask({ path: '/authorize', headers })).status).toBe(429);
    const forNginx = { ...headers, 'X-Refuse-Status': '403' };
    expect((await ask({ path: '/authorize', headers: forNginx })).status).toBe(403);
    expect(await ask({ path: '/authorize', headers: { ...headers, 'X-Call-From': 'x' } })).toMatchObject({
      status: 400,
    });
    expect((await ask({ path: '/authorize' })).status).toBe(400);
    expect((await ask({ path: '/authorize', headers: { ...headers, 'X-Org-Id': ['7', '8'] } })).status).toBe(400);
  });

  test('reads ids as UTF-8, which proxies send, and rejects what is none', async () => {
    const { orgs, ask } = await open();
    orgs.set('Zürich-東京', onCredits(1));
    const send = (bytes: Buffer) =>
      ask({ path: '/authorize', headers: { 'X-Org-Id': bytes.toString('latin1'), 'X-Call-Kind': 'get' } });
    const status = async (bytes: Buffer): Promise<number | undefined> => (await send(bytes)).status;
    expect(await status(Buffer.from('Zürich-東京'))).toBe(200);
    expect(await status(Buffer.from('Zürich-東京'))).toBe(429);
    expect(await status(Buffer.from([0x5a, 0xfc, 0x72]))).toBe(400);
    const body = Buffer.from('{"kind":"get","orgId":"Z\u00fc"}', 'latin1');
    expect((await ask({ method: 'POST', path: '/acquire' }, body)).status).toBe(400);
  });
});

describe('GET /orgs/:id/api-details', () => {
  const HOSTILE = `<script>alert(1)</script>"'&`;
  const pathOf = (orgId: string, ending = ''): string => `/orgs/${encodeURIComponent(orgId)}/api-details${ending}`;
  const SAFE = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' };

  test('gives what the cell has as JSON, with exact numbers, the share of today and the calls that run now', async () => {
    const { ask, post, orgs } = await open();
    orgs.set('a/b', onCredits(70_000));
    await post('/acquire', { orgId: 'a/b', kind: 'get' });
    expect(await ask({ path: pathOf('a/b') })).toMatchObject({
      status: 200,
      headers: {
        ...SAFE,
        'content-type': 'application/json',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      },
      body: { total: '1152921504606846976', inFlight: 1, share: { used: '61200', total: '70000', percent: 87 } },
    });
    expect(await ask({ path: pathOf('c') })).toMatchObject({ status: 404, body: { code: 'org_not_found' } });
    expect((await ask({ path: '/orgs/%zz/api-details' })).status).toBe(400);
  });

  test('is a page for a browser and by its ending, with the prices of the card and without anything that runs', async () => {
    const { ask } = await open();
    const accept = 'text/html,application/xhtml+xml,*/*;q=0.8';
    const page = await ask({ path: pathOf(HOSTILE), headers: { accept } });
    expect(page).toMatchObject({
      status: 200,
      headers: { ...SAFE, 'content-type': 'text/html; charset=utf-8', vary: 'Accept' },
    });
    expect(page.headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; .*frame-ancestors 'self'$/u,
    );
    expect(page.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;');
    expect(page.text).not.toMatch(/<script|unsafe-inline|javascript:/u);
    expect(page.text).toContain('list, search, up to index 2,000');
    expect(page.text).toContain('Running now: 0.');
    expect((await ask({ path: pathOf(HOSTILE, '.html') })).text).toBe(page.text);
    const json = await ask({ path: pathOf('7'), headers: { accept: 'application/json, text/html' } });
    expect(json.body).toMatchObject({ orgId: '7' });
  });
});

test('any other path is a 404', async () => expect((await (await open()).ask({ path: '/acquire' })).status).toBe(404));
