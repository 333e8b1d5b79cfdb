// Describes what a benchmark ran on: without versions and settings a number means nothing. Never prints a path or a
// host.
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { projectFolder } from '../../src/compose.js';
import { withClient } from './database.js';
import type { BenchSite } from './server.js';

/** One line each, for the head of a report. */
export async function describeMachine(server: BenchSite): Promise<readonly string[]> {
  const [bullmq, knex, redis] = await Promise.all([
    readVersion('bullmq'),
    readVersion('knex'),
    readRedisVersion(server.redisUrl),
  ]);
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    `Node ${process.versions.node}, bullmq ${bullmq}, knex ${knex}, Redis ${redis}`,
    await describePostgres(server.url('postgres')),
    `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${gigabytes} GB memory`,
  ];
}

/** A warning when something else keeps the machine busy; call it before anything of ours runs. */
export function findLoad(): string | undefined {
  const [load = 0] = loadavg();
  if (load < 0.5) return undefined;
  return `warning: the load average is ${load.toFixed(2)}: something else runs or has just run here, and the numbers will not be those of an idle machine`;
}

const SETTINGS = ['fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size'] as const;

async function describePostgres(url: string): Promise<string> {
  return withClient(url, async (client) => {
    const values: string[] = [];
    for (const name of SETTINGS) {
      const { rows } = await client.query<{ readonly value: string }>('select current_setting($1) as value', [name]);
      values.push(`${name} ${rows[0]?.value}`);
    }
    const { rows } = await client.query<{ readonly server_version: string }>('show server_version');
    return `PostgreSQL ${rows[0]?.server_version}: ${values.join(', ')}`;
  });
}

async function readVersion(name: string): Promise<string> {
  const text = await readFile(join(projectFolder, 'node_modules', name, 'package.json'), 'utf8');
  const { version }: { version: string } = JSON.parse(text);
  return version;
}

async function readRedisVersion(url: string | undefined): Promise<string> {
  if (url === undefined) return 'none';
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const info = await redis.info('server');
    return /(?:valkey|redis)_version:(\S+)/u.exec(info)?.[1] ?? 'unknown';
  } finally {
    redis.disconnect();
  }
}
