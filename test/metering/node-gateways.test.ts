// Gateways of Node: the plugin of Fastify on an app that calls hooks and replies as Fastify 5 does, and the example of
// the how-to for node:http as it stands there.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Meter } from '../../src/meter/create-meter.js';
import { type MeterPluginOptions, meterPlugin } from '../../src/meter/fastify-plugin.js';
import type { MeteredCall } from '../../src/meter/metered-call.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import { listCode, readDocument } from '../docs/read-document.js';
import { waitFor } from '../support/wait.js';
import { type MeterScene, onCredits, openMeter } from './meter-scene.js';

const servers: Server[] = [];
const scenes: MeterScene[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
  for (const { meter } of scenes.splice(0)) await meter.close();
});

type Handler = (asked: IncomingMessage, response: ServerResponse) => unknown;

async function serve(handler: Handler): Promise<number> {
  const server = createServer((asked, response) => void handler(asked, response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const open = (): MeterScene => {
  const scene = openMeter(createMemoryMeterStore(() => Date.now()));
  scenes.push(scene);
  return scene;
};

interface Reply {
  readonly status: number | undefined;
  readonly left: unknown;
  readonly type: unknown;
  readonly text: string;
}

const get = (port: number, path: string): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const asked = request({ agent: false, host: '127.0.0.1', port, path }, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += String(part);
      });
      response.on('end', () => {
        const { statusCode: status, headers } = response;
        resolve({ status, left: headers['x-rate-limit-remaining-v3'], type: headers['content-type'], text });
      });
    });
    asked.on('error', reject).end();
  });

/** Calls the hooks before the handler, which is left out where one of them has sent. */
function createApp(handler: Handler) {
  const hooks: Parameters<Parameters<typeof meterPlugin<IncomingMessage>>[0]['addHook']>[1][] = [];
  const serveOne: Handler = async (asked, raw) => {
    const reply = {
      raw,
      headers: (values: Readonly<Record<string, string>>) => {
        for (const [name, value] of Object.entries(values)) raw.setHeader(name, value);
      },
      code: (status: number) => {
        raw.statusCode = status;
        return reply;
      },
      type: (contentType: string) => {
        raw.setHeader('content-type', contentType);
        return reply;
      },
      send: (body: string) => raw.end(body),
    };
    for (const hook of hooks) await hook(asked, reply);
    if (!raw.writableEnded) handler(asked, raw);
  };
  return { app: { addHook: (_: 'preHandler', hook: (typeof hooks)[number]) => hooks.push(hook) }, serveOne };
}

const settled = (meter: Meter): Promise<unknown> =>
  waitFor('the release', async () => (await meter.details('7')).inFlight === 0);

const PARTS: Readonly<Record<string, Partial<MeteredCall>>> = {
  '/bad': { limit: -1 },
  '/search': { callId: 'one request id' },
};

describe('meterPlugin', () => {
  const describeCall: MeterPluginOptions<IncomingMessage>['describeCall'] = ({ url = '' }) =>
    url === '/health' ? undefined : { orgId: '7', kind: url.slice(1), ...PARTS[url] };

  test('takes, refuses, gives back after an error of ours, and leaves alone what is not metered', async () => {
    const { meter, orgs } = open();
    orgs.set('7', onCredits(55, 1));
    const { app, serveOne } = createApp((asked, response) => {
      response.statusCode = asked.url === '/update_many' ? 500 : 200;
      response.end('done');
    });
    meterPlugin(app, { meter, describeCall }, () => undefined);
    const port = await serve(serveOne);
    expect(await get(port, '/count')).toMatchObject({ status: 200, left: '5', text: 'done' });
    await settled(meter);
    const refused = await get(port, '/count');
    expect(refused).toMatchObject({ status: 429, left: '5', type: 'application/problem+json' });
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'THRESHOLD_EXCEEDED', price: 50 });
    expect(await get(port, '/health')).toMatchObject({ status: 200, left: undefined });
    const bad = await get(port, '/bad');
    expect([bad.status, JSON.parse(bad.text)]).toMatchObject([400, { code: 'invalid_call' }]);
    const running = await meter.acquire({ orgId: '7', kind: 'get', callId: 'one request id' });
    const reused = await get(port, '/search');
    expect([reused.status, JSON.parse(reused.text)]).toMatchObject([409, { code: 'call_id_reused' }]);
    running.release();
    await settled(meter);
    orgs.set('7', onCredits(81, 1));
    const raised = async (): Promise<boolean> => (await get(port, '/update_many')).status === 500;
    await waitFor('the raise', raised);
    await settled(meter);
    expect((await meter.details('7')).usage).toMatchObject({ calls: 3, callsGivenBack: 1, creditsGivenBack: 25 });
  });
});

test('the example of the how-to for node:http takes, refuses and releases', async () => {
  const { meter, orgs } = open();
  orgs.set('7', onCredits(4, 1));
  const [setUp = '', handle = ''] =
    listCode(await readDocument('docs/how-to/meter-your-gateway.md'), 'js')[0]
      ?.split('\n\n')
      .slice(-2) ?? [];
  expect(setUp).toContain('createMeter({');
  const serveCall = new Function('meter', 'response', `return (async () => { ${handle} })();`);
  const port = await serve(async (_, response) => {
    await serveCall(meter, response);
    if (!response.writableEnded) response.end('done');
  });
  expect(await get(port, '/')).toMatchObject({ status: 200, left: '1', text: 'done' });
  await settled(meter);
  const refused = await get(port, '/');
  expect([refused.status, refused.left, JSON.parse(refused.text).code]).toEqual([429, '1', 'THRESHOLD_EXCEEDED']);
});
