// The search of this folder can fail: a leak that is planted in any place is found.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.js';
import { redisAvailable, startTestRedis } from '../support/redis.js';
import { dumpDatabase, dumpRedis, findMarkers, makeMarkers, type Place, readFolder, readTitle } from './search.js';

const markers = makeMarkers();
const { word, number } = markers;
const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const places = (found: readonly Place[]): readonly string[] =>
  findMarkers(found, markers).map((leak) => leak.slice(0, leak.indexOf(': …')));

describe('the search for markers', () => {
  test('finds them in columns of every type, in views that are stored, and in what sessions show', async () => {
    const database = await createTestDatabase('leaks');
    ends.push(database.drop);
    const client = new pg.Client({ connectionString: database.url, application_name: `app ${word}` });
    await client.connect();
    await client.query(`create schema odd; create table odd."A table" (texts text[], facts jsonb, bytes bytea, n numeric);
      insert into odd."A table" values (array['${word}'], null, null, null), (null, '{"a": ["${word}"]}', null, null),
        (null, null, convert_to('${word}', 'UTF8'), null), (null, null, null, ${number}), ('{}', '{}', '', 7);
      create materialized view kept as select '${word}' as text`);
    const found = places(await dumpDatabase('it', database.url));
    expect(found.filter((where) => where === 'it odd."A table"')).toHaveLength(4);
    expect(found).toContain('it public.kept');
    expect(found).toContain('it sessions');
    await client.end();
  });

  test('finds them in files and their names, and in the title of a process', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-search-'));
    ends.push(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'plain'), `a ${word}`);
    await writeFile(join(folder, word.toUpperCase()), '');
    await writeFile(join(folder, 'other'), 'nothing');
    expect(places(await readFolder('files', folder)).toSorted()).toEqual(
      [`files ${join(folder, word.toUpperCase())}`, `files ${join(folder, 'plain')}`].toSorted(),
    );
    const child = spawn('sh', ['-c', 'read -r _', word]);
    await once(child, 'spawn');
    expect(places([{ where: 'title', text: await readTitle(child.pid ?? 0) }])).toEqual(['title']);
    child.kill();
  });

  test.skipIf(!redisAvailable())('finds them in keys of every type', async () => {
    const server = await startTestRedis();
    ends.push(server.remove);
    const redis = new Redis(server.url);
    await redis.set('a', `x${word}`);
    await redis.rpush('b', 'x', word);
    await redis.sadd('c', word);
    await redis.hset('d', word, 'x');
    await redis.zadd('e', 1, word);
    await redis.xadd('f', '*', 'reason', `{"a":"${word}"}`);
    await redis.set(`g${word}`, 'x');
    await redis.set('h', 'nothing');
    redis.disconnect();
    const found = places(await dumpRedis('it', server.url));
    expect(found.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', `g${word}`].map((key) => `it ${key}`));
  });

  test('finds nothing where nothing is', () => {
    expect(findMarkers([{ where: 'x', text: `mk ${number.slice(1)} ${word.slice(1)}` }], markers)).toEqual([]);
  });
});
