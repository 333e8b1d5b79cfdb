// The example of the how-to: nginx asks the meter before each call, and its clients get what the meter says.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseRateCard } from '../../src/domain/rate-card/parse-rate-card.js';
import { createMeterServer } from '../../src/http/meter-server.js';
import { systemClock } from '../../src/kernel/clock.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import { listCode, readDocument } from '../docs/read-document.js';
import { sampleCardText } from '../domain/rate-card/sample-card.js';
import { type MeterScene, onCredits, openMeter } from '../metering/meter-scene.js';
import { nginxAvailable, startNginx, type TestNginx } from '../support/nginx.js';

interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

describe.skipIf(!nginxAvailable())('nginx with auth_request, as docs/how-to/meter-your-gateway.md has it', () => {
  let folder = '';
  let scene: MeterScene;
  let meter: Server;
  let product: Server;
  let nginx: TestNginx;
  const passed: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'credit-rollout-front-'));
    const socket = join(folder, 'meter.sock');
    scene = openMeter(createMemoryMeterStore(() => Date.now()));
    meter = createMeterServer({
      isCellRead: () => true,
      meter: scene.meter,
      clock: systemClock,
      costs: parseRateCard(sampleCardText).costs,
      findDetails: async () => undefined,
    });
    await new Promise<void>((resolve) => meter.listen(socket, resolve));
    product = createServer((asked, response) => {
      passed.push(`${asked.method} ${asked.url}`);
      response.end('from the product');
    });
    await new Promise<void>((resolve) => product.listen(0, '127.0.0.1', resolve));
    const { port } = product.address() as AddressInfo;
    const [example = ''] = listCode(await readDocument('docs/how-to/meter-your-gateway.md'), 'nginx');
    nginx = await startNginx((front) =>
      example
        .replace('unix:/run/credit-rollout/meter.sock', `unix:${socket}`)
        .replace('listen 127.0.0.1:8080', `listen unix:${front}`)
        .replaceAll('http://127.0.0.1:3000', `http://127.0.0.1:${port}`),
    );
  });
  afterAll(async () => {
    await nginx.stop();
    await scene.meter.close();
    for (const server of [meter, product]) server.close().closeAllConnections();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    passed.length = 0;
  });

  const get = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const asked = request({ socketPath: nginx.socket, path, headers: { host: 'front', ...headers } }, (response) => {
        let text = '';
        response.on('data', (part) => {
          text += String(part);
        });
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      });
      asked.on('error', reject).end();
    });
  const asOrg7 = { 'x-api-key': 'key-of-org-7' };

  test('lets no client choose its price, its org or its call', async () => {
    scene.orgs.set('7', onCredits(11));
    const forged = { 'x-org-id': '8', 'x-call-kind': 'get', 'x-call-id': 'same', 'x-call-records': '0' };
    const reply = await get('/tickets?from=5000&limit=100', { ...asOrg7, ...forged });
    expect(reply.headers).toMatchObject({ 'x-rate-limit-request-weight-v3': '5' });
    expect((await get('/tickets?from=x', asOrg7)).status).toBe(400);
    expect((await get('/tickets')).status).toBe(401);
    expect((await get('/meter', asOrg7)).status).toBe(404);
    expect(passed).toEqual(['GET /tickets?from=5000&limit=100']);
  });

  test('passes an allowed call on, with the headers of the meter, at the price of its kind', async () => {
    const list = await get('/tickets?from=5000&limit=100', asOrg7);
    expect(list).toMatchObject({ status: 200, text: 'from the product' });
    expect(list.headers).toMatchObject({
      'x-rate-limit-request-weight-v3': '5',
      'x-rate-limit-remaining-v3': '1',
      'ratelimit-policy': '"credits";q=11;w=86400',
      ratelimit: expect.stringMatching(/^"credits";r=1;t=\d+$/u),
    });
    const one = await get('/tickets/12', asOrg7);
    expect(one.headers).toMatchObject({ 'x-rate-limit-request-weight-v3': '1', 'x-rate-limit-remaining-v3': '0' });
    expect(passed).toEqual(['GET /tickets?from=5000&limit=100', 'GET /tickets/12']);
  });

  test('refuses with the 429 of the meter, and the product never hears of it', async () => {
    const refused = await get('/tickets/12', asOrg7);
    expect(refused.status).toBe(429);
    expect(refused.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'x-rate-limit-remaining-v3': '0',
      'retry-after': expect.stringMatching(/^\d+$/u),
    });
    expect(JSON.parse(refused.text)).toMatchObject({ status: 429, code: 'THRESHOLD_EXCEEDED', left: 0, total: 11 });
    expect(refused.headers).not.toHaveProperty('x-problem');
    expect(passed).toEqual([]);
  });

  test('passes calls on without the meter while it is down', async () => {
    await new Promise((resolve) => meter.close(resolve).closeAllConnections());
    expect(await get('/tickets/12', asOrg7)).toMatchObject({ status: 200, text: 'from the product' });
  });
});
