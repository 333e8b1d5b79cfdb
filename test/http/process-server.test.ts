// What a process says of itself over HTTP: alive without a database, ready with all it needs, numbers from rows.
import { once } from 'node:events';
import { get, type Server } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { METRICS, type Sample, sample } from '../../src/domain/metrics/metric.js';
import { createProcessServer, type NotReady } from '../../src/http/process-server.js';
import { systemClock } from '../../src/kernel/clock.js';
import { formatAddress, listenOn } from '../../src/platform/listen.js';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve).closeAllConnections());
});

interface Scene {
  ask(path: string, method?: string): Promise<{ status: number; type: string | null; text: string }>;
  /** The status of what a browser asks of /livez. */
  askAsPage(headers: Readonly<Record<string, string>>): Promise<number | undefined>;
  readonly asked: { ready: number; samples: number };
}

async function open(
  listNotReady: () => Promise<readonly NotReady[]> = async () => [],
  readSamples: () => Promise<readonly Sample[]> = async () => [],
  now = (): Date => new Date(),
): Promise<Scene> {
  const asked = { ready: 0, samples: 0 };
  const server = createProcessServer({
    clock: { ...systemClock, now },
    listNotReady: () => {
      asked.ready += 1;
      return listNotReady();
    },
    readSamples: () => {
      asked.samples += 1;
      return readSamples();
    },
  });
  servers.push(server);
  const at = formatAddress(await listenOn(server, { host: '127.0.0.1', port: 0 }));
  return {
    asked,
    ask: async (path, method = 'GET') => {
      const response = await fetch(at + path, { method });
      return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
    },
    askAsPage: async (headers) => {
      const [response] = await once(get(`${at}/livez`, { headers }), 'response');
      response.resume();
      return response.statusCode;
    },
  };
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('/livez', () => {
  test('answers while no database does', async () => {
    const { ask, asked } = await open(never, never);
    expect(await ask('/livez')).toMatchObject({ status: 200, text: '{"alive":true}\n' });
    expect(asked).toEqual({ ready: 0, samples: 0 });
  });
});

describe('/readyz', () => {
  test('is 200 when nothing is missing, else 503 and names what is', async () => {
    let failing: readonly NotReady[] = [];
    let nowMs = 0;
    const { ask } = await open(
      async () => failing,
      undefined,
      () => new Date(nowMs),
    );
    expect(await ask('/readyz')).toMatchObject({ status: 200, text: '{"ready":true,"failing":[]}\n' });
    failing = [{ what: 'eu', code: 'database_unreachable' }];
    nowMs = 1_000;
    const { status, text } = await ask('/readyz?verbose');
    expect([status, JSON.parse(text)]).toEqual([503, { ready: false, failing }]);
  });

  test('asks the databases once for all who ask at the same time, and again a second later or in the past', async () => {
    let nowMs = 5_000;
    const { ask, asked } = await open(undefined, undefined, () => new Date(nowMs));
    await Promise.all([ask('/readyz'), ask('/readyz'), ask('/readyz')]);
    nowMs += 999;
    await ask('/readyz');
    expect(asked.ready).toBe(1);
    nowMs += 1;
    await ask('/readyz');
    expect(asked.ready).toBe(2);
    nowMs = 0;
    await ask('/readyz');
    expect(asked.ready).toBe(3);
  });
});

describe('/metrics', () => {
  test('shows what is known with its meaning, nothing of what is not, and this process', async () => {
    const known = [
      sample('stage', true, { data_center: 'eu', stage: 'migrating' }),
      sample('batches_done', 7, { data_center: 'eu' }),
    ];
    const { ask } = await open(undefined, async () => known);
    const { status, type, text } = await ask('/metrics');
    expect(status).toBe(200);
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/u);
    expect(text).toContain(`# HELP credit_rollout_stage ${METRICS.stage.help}\n# TYPE credit_rollout_stage gauge\n`);
    expect(text).toContain('credit_rollout_stage{data_center="eu",stage="migrating"} 1\n');
    expect(text).toContain('credit_rollout_batches_done{data_center="eu"} 7\n');
    expect(text).not.toContain('credit_rollout_workers_alive');
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/mu);
  });

  test('asks again after a reading that failed, and says no more than a code', async () => {
    let fails = true;
    const { ask } = await open(undefined, async () => {
      if (fails) throw new Error('org 17 at db.example');
      return [];
    });
    expect(await ask('/metrics')).toMatchObject({ status: 500, text: '{"code":"internal"}\n' });
    fails = false;
    expect(await ask('/metrics')).toMatchObject({ status: 200 });
  });
});

test.each([
  ['GET', '/', 404],
  ['GET', '/constructor', 404],
  ['POST', '/readyz', 405],
  ['HEAD', '/livez', 200],
])('%s %s is %i and asks no database', async (method, path, status) => {
  const { ask, asked } = await open(never, never);
  expect((await ask(path, method)).status).toBe(status);
  expect(asked).toEqual({ ready: 0, samples: 0 });
});

test.each([
  [{ origin: 'http://evil.example' }, 403],
  [{ 'sec-fetch-site': 'cross-site' }, 403],
  [{ host: 'evil.example' }, 403],
  [{ host: 'localhost:9464' }, 200],
])('on loopback a page of a browser asks nothing: %j is %i', async (headers, status) => {
  expect(await (await open()).askAsPage(headers)).toBe(status);
});

test('an address that another program uses is named, with the way out', async () => {
  const { port } = await listenOn(remember(createProcessServer(idle)), { host: '127.0.0.1', port: 0 });
  await expect(listenOn(createProcessServer(idle), { host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'listen_refused',
    message: `Cannot listen on http://127.0.0.1:${port}: another program uses it.`,
  });
});

const idle = { clock: systemClock, listNotReady: never, readSamples: never };

function remember(server: Server): Server {
  servers.push(server);
  return server;
}
