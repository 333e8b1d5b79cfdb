// Everything outside a cell that anything could be written to, as text, and the search for what must stay inside.
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';

/** What org data is made of: a word that is in every text of a cell, and a number that no sum gives. */
export interface Markers {
  readonly word: string;
  readonly number: string;
}

export function makeMarkers(): Markers {
  const digits = createHash('sha256').update(randomBytes(16)).digest().readBigUInt64BE();
  return {
    word: `mk${randomBytes(9).toString('hex')}`,
    number: String(100_000_000_000_000n + (digits % 89_999_999_999_999n)),
  };
}

/** A text and where it was found. */
export interface Place {
  readonly where: string;
  readonly text: string;
}

/** Where a marker is: the place, and what stands around it. */
export function findMarkers(places: readonly Place[], { word, number }: Markers): readonly string[] {
  const forms = [word, Buffer.from(word).toString('hex'), Buffer.from(word).toString('base64').slice(0, -4), number];
  return places.flatMap(({ where, text }) =>
    forms.flatMap((form) => {
      const at = text.toLowerCase().indexOf(form.toLowerCase());
      return at < 0 ? [] : [`${where}: …${text.slice(Math.max(0, at - 80), at + 80)}…`];
    }),
  );
}

/** Every row of every table of a database, the catalog's own left out, and what its sessions show of themselves. */
export async function dumpDatabase(label: string, url: string): Promise<readonly Place[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`,
    );
    const places: Place[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
      places.push(...rows.map(({ row }) => ({ where: `${label} ${name}`, text: row })));
    }
    const { rows: sessions } = await client.query<{ row: string }>(
      `select concat_ws(' ', usename, application_name, query) as row from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    );
    return [...places, ...sessions.map(({ row }) => ({ where: `${label} sessions`, text: row }))];
  } finally {
    await client.end();
  }
}

/** Every key of a Redis with all that it holds. */
export async function dumpRedis(label: string, url: string): Promise<readonly Place[]> {
  const redis = new Redis(url);
  try {
    const keys = await redis.keys('*');
    return await Promise.all(
      keys.map(async (key) => ({
        where: `${label} ${key}`,
        text: `${key} ${JSON.stringify(await readKey(redis, key))}`,
      })),
    );
  } finally {
    redis.disconnect();
  }
}

async function readKey(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return redis.get(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'hash':
      return redis.hgetall(key);
    case 'zset':
      return redis.zrange(key, 0, '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      // it was removed meanwhile
      if (type === 'none') return null;
      throw new Error(`a type of keys that this search does not read: ${type}`);
  }
}

/** Every file below a folder, by name and content. */
export async function readFolder(label: string, folder: string): Promise<readonly Place[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      return { where: `${label} ${path}`, text: `${path} ${entry.isFile() ? await readFile(path, 'latin1') : ''}` };
    }),
  );
}

/** What every user of the machine sees of a process; nothing where it has ended. */
export async function readTitle(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
  return text.replaceAll('\0', ' ');
}
