// A Redis over TLS: rediss:// verifies the certificate and the host name, also with an authority of our own.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { checkQueue, connectQueue, initQueue } from '../../jobs/queue/connection.js';
import { parseQueueServer, parseRedisServer } from '../../src/domain/config/server-url.js';
import { createServerTls, type ServerTls } from '../../src/platform/tls.js';
import { connectMeterRedis } from '../../src/stores/meter/redis-meter-store.js';
import { type Certificate, createPrivateCa, opensslAvailable, type PrivateCa } from '../support/private-ca.js';
import { redisAvailable, startTestRedis } from '../support/redis.js';

const open = (url: string): readonly [string, ServerTls] => {
  const server = parseQueueServer(url);
  return [server.url, createServerTls({ ...server, key: 'queue' })];
};

describe.skipIf(!redisAvailable() || !opensslAvailable())('a Redis over TLS', () => {
  let ca: PrivateCa;
  let other: PrivateCa;
  beforeAll(async () => {
    [ca, other] = await Promise.all([createPrivateCa(), createPrivateCa()]);
  });
  afterAll(() => Promise.all([ca.remove(), other.remove()]));

  const withRedis = async (
    { cert, key }: Certificate,
    act: (urlOf: (query: string) => string) => Promise<void>,
  ): Promise<void> => {
    const port = await findPort();
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca.ca];
    const redis = await startTestRedis(['--tls-port', String(port), '--tls-auth-clients', 'no', ...files]);
    const { password } = new URL(redis.url);
    try {
      await act((query) => `rediss://:${password}@127.0.0.1:${port}${query}`);
    } finally {
      await redis.remove();
    }
  };

  const unreachable = (reason: string) => ({
    code: 'queue_unreachable',
    message: expect.stringMatching(
      new RegExp(`^The queue at 127\\.0\\.0\\.1:\\d+ cannot be reached: ${reason}\\.$`, 'u'),
    ),
    next: expect.stringContaining('docs/how-to/tls.md'),
  });
  const UNTRUSTED = unreachable('the certificate of its server is not from an authority that is trusted');

  test('serves a queue whose authority is named, and no other', async () =>
    withRedis(await ca.issue('IP:127.0.0.1'), async (urlOf) => {
      const trusted = open(urlOf(`?sslrootcert=${ca.ca}`));
      await initQueue(...trusted);
      await checkQueue(...trusted);
      const connection = connectQueue(...trusted);
      const queue = connection.createQueue('tls');
      let resolve: (data: unknown) => void = () => undefined;
      const worked = new Promise<unknown>((done) => {
        resolve = done;
      });
      const worker = connection.createWorker('tls', async (job) => resolve(job.data), { concurrency: 1 });
      const running = worker.run();
      await vi.waitFor(() => queue.add('one', { sent: true })); // rejected until its connection is open
      expect(await worked).toEqual({ sent: true });
      await worker.close();
      await running;
      await queue.close();
      connection.close();
      for (const query of ['', `?sslrootcert=${other.ca}`])
        await expect(checkQueue(...open(urlOf(query)))).rejects.toMatchObject(UNTRUSTED);
      expect(await pingAsMeter(urlOf(`?sslrootcert=${ca.ca}`))).toBe('PONG');
      for (const query of ['', `?sslrootcert=${other.ca}`])
        expect(await pingAsMeter(urlOf(query))).toMatch(/^(UNABLE_TO_VERIFY_LEAF|SELF_SIGNED_CERT|CERT_SIGNATURE)/u);
    }));

  test('is not used with a certificate for another host name, or an expired one', async () => {
    await withRedis(await ca.issue('DNS:redis.example.org'), async (urlOf) =>
      expect(checkQueue(...open(urlOf(`?sslrootcert=${ca.ca}`)))).rejects.toMatchObject(
        unreachable('the certificate of its server is for another host name'),
      ),
    );
    await withRedis(await ca.issue('IP:127.0.0.1', 'expired'), async (urlOf) =>
      expect(initQueue(...open(urlOf(`?sslrootcert=${ca.ca}`)))).rejects.toMatchObject(
        unreachable('the certificate of its server has expired'),
      ),
    );
  });

  test.each([
    ['a missing file', (folder: string) => `rediss://h/?sslrootcert=${join(folder, 'missing')}`],
    ['sslmode', () => 'rediss://h/?sslmode=verify-full'],
    ['an authority without TLS', (folder: string) => `redis://h/?sslrootcert=${join(folder, 'ca.crt')}`],
  ])('is not configured with %s', (_, urlOf) => {
    expect(() => open(urlOf(ca.folder))).toThrow(
      expect.objectContaining({
        code: 'invalid_config',
        message: expect.stringMatching(/^queue: [^/]*(rediss:\/\/)?\.$/u),
      }),
    );
  });
});

/** As the meter of a gateway connects; the code of the certificate's fault otherwise. */
async function pingAsMeter(url: string): Promise<string> {
  const { ssl, url: plain } = resolveMeterServer(url);
  const redis = connectMeterRedis(plain, { tls: ssl, tries: 'once', timeoutMs: 20_000 });
  const failed = new Promise<string>((resolve) =>
    redis.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? '')),
  );
  try {
    return await Promise.race([
      redis.connect().then(
        () => redis.ping(),
        () => failed,
      ),
      failed,
    ]);
  } finally {
    redis.disconnect();
  }
}

function resolveMeterServer(url: string): ServerTls & { readonly url: string } {
  const server = parseRedisServer(url, 'dataCenters[0].meter');
  return { url: server.url, ...createServerTls({ ...server, key: 'dataCenters[0].meter' }) };
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
