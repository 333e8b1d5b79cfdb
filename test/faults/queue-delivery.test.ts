// A queue that can be reached and yet delivers nothing: `init` and `doctor` send a wake-up there and back, and say what
// is wrong in a sentence of its own, without a piece of the password.
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { initQueue } from '../../jobs/queue/connection.js';
import { proveDelivery } from '../../jobs/queue/prove-delivery.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { redisAvailable, startTestRedis, type TestRedis } from '../support/redis.js';

const failureOf = (url: string): Promise<unknown> =>
  proveDelivery(url).then(
    () => 'delivered',
    (error: unknown) => error,
  );

const SECRET = 'Xk7-qZ9_Vw3';

/** No four characters of the password, nor its whole, in anything that is shown. */
function expectSecret(failure: unknown, password: string): void {
  const shown = JSON.stringify([String(failure), (failure as { readonly next?: unknown }).next]);
  const pieces = Array.from({ length: Math.max(1, password.length - 3) }, (_, at) => password.slice(at, at + 4));
  expect(pieces.filter((piece) => shown.includes(piece))).toEqual([]);
}

describe.skipIf(!redisAvailable())('on Redis', () => {
  let redis: TestRedis;
  let client: Redis;
  beforeAll(async () => {
    redis = await startTestRedis();
    client = new Redis(redis.url);
  });
  afterAll(async () => {
    client.disconnect();
    await redis.remove();
  });

  test('a wake-up goes there and back, and leaves nothing', async () => {
    await expect(failureOf(redis.url)).resolves.toBe('delivered');
    expect(await client.keys('*')).toEqual([]);
  });

  test.each([
    [
      'a replica',
      ['replicaof', '127.0.0.1', '1'],
      ['replicaof', 'no', 'one'],
      'is a replica: it accepts no writes',
      'Point the URL of queue at the primary.',
    ],
    [
      'a full server',
      ['config', 'set', 'maxmemory', '1'],
      ['config', 'set', 'maxmemory', '0'],
      'has no memory left',
      'Raise its maxmemory',
    ],
    [
      'one that lacks replicas',
      ['config', 'set', 'min-replicas-to-write', '1'],
      ['config', 'set', 'min-replicas-to-write', '0'],
      'too few replicas',
      'min-replicas-to-write',
    ],
  ])('%s is told so', async (_, [command = '', ...args], [back = '', ...backArgs], what, next) => {
    await client.call(command, ...args);
    const failure = await failureOf(redis.url);
    await client.call(back, ...backArgs);
    expect(failure).toMatchObject({
      code: 'queue_undeliverable',
      message: expect.stringContaining(what),
      next: expect.stringContaining(next),
    });
    expectSecret(failure, new URL(redis.url).password);
  });

  test('a user without rights, and a wrong password, are told so', async () => {
    await client.call('acl', 'setuser', 'few', 'on', '>long-enough', '~other*', '+@all');
    const few = redis.url.replace('redis://:', 'redis://few:').replace(new URL(redis.url).password, 'long-enough');
    expect(await failureOf(few)).toMatchObject({
      code: 'queue_undeliverable',
      next: expect.stringContaining('keys that begin'),
    });
    for (const password of [SECRET, '']) {
      const failure = await failureOf(redis.url.replace(new URL(redis.url).password, password));
      expect(failure).toMatchObject({
        code: 'queue_refused',
        message: expect.stringMatching(/^The queue at 127\.0\.0\.1:\d+ refused user or password\.$/u),
      });
      if (password !== '') expectSecret(failure, password);
    }
  });

  test('a node of a cluster that does not hold our keys is told so', async () => {
    const node = await startTestRedis(['--cluster-enabled', 'yes']);
    await expect(failureOf(node.url)).resolves.toMatchObject({
      code: 'queue_undeliverable',
      message: expect.stringContaining('node of a Redis Cluster'),
    });
    await node.remove();
  });
});

describe('on Postgres', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase('queue_delivery');
    await initQueue(database.url);
  });
  afterAll(() => database.drop());

  test('a wake-up goes there and back, and leaves nothing', async () => {
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    const relations = `select relname, relkind, (xpath('//n/text()', query_to_xml(format('select count(*) as n from bullmq.%I',
        relname), false, true, '')))[1]::text as rows
      from pg_class where relnamespace = 'bullmq'::regnamespace and relkind in ('r', 'S') order by 1`;
    const before = (await admin.query(relations)).rows;
    await expect(failureOf(database.url)).resolves.toBe('delivered');
    const { rows } = await admin.query(relations);
    await admin.end();
    expect(rows).toEqual(before);
  });

  test('a server that is read-only, and a wrong password, are told so', async () => {
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    await admin.query(`alter database ${database.name} set default_transaction_read_only = on`);
    expect(await failureOf(database.url)).toMatchObject({
      code: 'queue_undeliverable',
      message: expect.stringContaining('read-only'),
    });
    const stranger = `stranger_${randomBytes(4).toString('hex')}`;
    await admin.query(
      `begin read write; create role ${stranger} login password 'right'; alter database ${database.name} reset default_transaction_read_only; commit`,
    );
    const url = new URL(database.url);
    url.username = stranger;
    url.password = SECRET;
    const failure = await failureOf(url.href);
    await admin.query(`begin read write; drop role ${stranger}; commit`);
    await admin.end();
    expectSecret(failure, SECRET);
  });
});
