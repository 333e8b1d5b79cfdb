// A real local Redis: durable when stopped or killed, never open to the network.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redisAvailable, startTestRedis, type TestRedis } from './redis.js';

async function withClient<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  client.on('error', () => undefined);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

describe.skipIf(!redisAvailable())('startLocalRedis', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startTestRedis();
  });
  afterAll(() => redis.remove());

  test('is durable, never evicts and listens on the loopback only', async () => {
    const settings = await withClient(redis.url, (client) =>
      client.config('GET', 'appendonly', 'maxmemory-policy', 'bind'),
    );
    expect(settings).toEqual(
      expect.arrayContaining(['appendonly', 'yes', 'maxmemory-policy', 'noeviction', 'bind', '127.0.0.1']),
    );
  });

  test('rejects those without its password', async () => {
    const url = new URL(redis.url);
    url.password = '';
    await expect(withClient(url.href, (client) => client.get('key'))).rejects.toThrow('NOAUTH');
  });

  test('comes back at the same URL, with its keys after a stop and without them when empty', async () => {
    await withClient(redis.url, (client) => client.set('key', 'value'));
    await redis.stop();
    redis = await redis.restart('kept');
    expect(await withClient(redis.url, (client) => client.get('key'))).toBe('value');
    await redis.kill();
    redis = await redis.restart('empty');
    expect(await withClient(redis.url, (client) => client.get('key'))).toBeNull();
  });
});
