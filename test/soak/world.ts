// The servers of a soak: control and queue on one PostgreSQL, each of two data centers on its own, a Redis, a PgBouncer
// before control and the first data center, and a proxy before everything that our processes and people connect to.
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { initQueue } from '../../jobs/queue/connection.js';
import type { EngineContext } from '../../src/engine/context.js';
import { type DocumentedLogins, makeDocumentedLogins, readRedisAcl } from '../support/documented-logins.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { pgbouncerAvailable, startPooler, type TestPgbouncer } from '../support/pgbouncer.js';
import { startTestRedis, type TestRedis } from '../support/redis.js';
import { isRunning, makeServerFolder } from '../support/server-folder.js';
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.js';
import type { SoakOptions } from './options.js';
import { type SoakServer, startSoakServer } from './soak-server.js';

/** Of orgs: recognised wherever they must not be. */
export const FIRST_ORG = 770_770_000_001;

const run = promisify(execFile);
const DISK = '500m';
const PLACES = ['control', 'queue', 'first', 'second'] as const;
type Place = (typeof PLACES)[number];

export interface World {
  readonly folder: string;
  readonly servers: { readonly control: SoakServer; readonly first: SoakServer; readonly second: SoakServer };
  readonly proxies: Readonly<Record<Place, FaultyProxy>>;
  readonly redis: { server: TestRedis } | undefined;
  readonly pooler: Omit<TestPgbouncer, 'through'> | undefined;
  /** A folder of the first server's own file system, which can be filled; undefined: it has none. */
  readonly disk: string | undefined;
  readonly fleet: Fleet;
  readonly logins: DocumentedLogins;
  readonly queueUrl: string;
  readonly alice: EngineContext;
  readonly bob: EngineContext;
  close(): Promise<void>;
}

export async function openWorld(options: SoakOptions): Promise<World> {
  const closing: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).reverse()) await one().catch(() => undefined);
  };
  try {
    return { ...(await openServers(options, closing)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** `closing` gets what must be closed, in the order in which it was opened. */
async function openServers(options: SoakOptions, closing: (() => Promise<unknown>)[]): Promise<Omit<World, 'close'>> {
  const folder = await makeServerFolder();
  closing.push(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  const disk = options.faults === 'all' ? await mountDisk(join(folder, 'disk')) : undefined;
  if (disk !== undefined) closing.push(() => run('umount', ['-l', disk]));
  const [control, first, second] = await Promise.all([
    startSoakServer(folder, 'control'),
    startSoakServer(disk ?? folder, 'first'),
    startSoakServer(folder, 'second'),
  ]);
  const servers = { control, first, second };
  for (const server of Object.values(servers)) closing.push(server.stop);
  const redis = options.queue === 'redis' ? { server: await startTestRedis() } : undefined;
  closing.push(async () => redis?.server.remove());
  const fleet = await createFleet({
    server: control.url,
    cells: [first, second].map(({ url }) => ({ server: url, orgs: [] })),
    queue: redis === undefined ? 'none' : { redis: redis.server.url },
    rollout: '{ batchSize: 100, lanes: 2, approval: required, guardRails: { quarantinedShare: 0.5 } }',
  });
  closing.push(fleet.drop);
  for (const cell of fleet.cells) await fill(cell.sql, options.orgs);
  const routes = new Map<string, FaultyProxy>();
  const through = (url: string): string => {
    const proxy = routes.get(new URL(url).pathname);
    return proxy === undefined ? url : proxy.through(url);
  };
  const logins = await makeDocumentedLogins(fleet, through);
  closing.push(logins.drop);
  const queue = redis === undefined ? queueOnPostgres(fleet, logins) : await queueOnRedis(redis.server, logins);
  const pooler = pgbouncerAvailable() ? await startPoolerOf(fleet, logins, control, first) : undefined;
  closing.push(async () => pooler?.stop());
  const pooled = (server: SoakServer): (() => ReturnType<SoakServer['target']>) =>
    pooler === undefined ? server.target : () => ({ host: '127.0.0.1', port: pooler.port });
  const redisUrl = redis && new URL(redis.server.url);
  const proxies = {
    control: await startFaultyProxy(pooled(control)),
    queue: await startFaultyProxy(
      redisUrl === undefined ? control.target : () => ({ host: redisUrl.hostname, port: Number(redisUrl.port) }),
    ),
    first: await startFaultyProxy(pooled(first)),
    second: await startFaultyProxy(second.target),
  };
  for (const proxy of Object.values(proxies)) closing.push(proxy.stop);
  routes.set(new URL(fleet.controlUrl).pathname, proxies.control);
  routes.set(new URL(fleet.cell(0).url).pathname, proxies.first);
  routes.set(new URL(fleet.cell(1).url).pathname, proxies.second);
  await initQueue(queue);
  await second.addStandby();
  return {
    ...{ folder, servers, proxies, redis, pooler, disk, fleet, logins },
    queueUrl: proxies.queue.through(queue),
    alice: logins.person('alice'),
    bob: logins.person('bob'),
  };
}

/** A file system of its own, which only root can mount, and not in every container. */
async function mountDisk(at: string): Promise<string | undefined> {
  await unmountLeftovers();
  await mkdir(at);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=755`, 'tmpfs', at]);
    return at;
  } catch {
    return undefined;
  }
}

/** What soaks that were killed have left mounted. */
async function unmountLeftovers(): Promise<void> {
  const mounts = await readFile('/proc/mounts', 'utf8').catch(() => '');
  for (const [, path = '', pid] of mounts.matchAll(/^tmpfs (\S+\/credit-rollout-test-(\d+)-\w+\/disk) /gmu))
    if (!isRunning(Number(pid))) await run('umount', ['-l', path]).catch(() => undefined);
}

async function fill(sql: Fleet['control'], orgs: number): Promise<void> {
  await sql(
    `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, legacy_limit, created_at, updated_at)
     select $2::bigint + n, case when n % 500 = 7 then 'retired'
         else (array['free', 'express', 'standard', 'professional', 'enterprise'])[1 + n % 5] end,
       n % 5 <> 0, (n * 37) % 400, n % 11, case when n % 9 = 0 then 10000 else 0 end, case when n % 50 = 3 then 2000000 end,
       timestamptz '2024-03-01 12:00+00', timestamptz '2024-03-01 12:00+00' from generate_series(0, $1::int - 1) n`,
    [orgs, FIRST_ORG],
  );
}

function queueOnPostgres(fleet: Fleet, logins: DocumentedLogins): string {
  const url = new URL(logins.as('rollout_queue', fleet.controlUrl));
  url.pathname = logins.nameOf('rollout_queue');
  return url.href;
}

async function queueOnRedis({ url }: TestRedis, logins: DocumentedLogins): Promise<string> {
  await allowRedisLogin(url, logins);
  return logins.as('rollout_queue', url);
}

/** A server that starts again knows no login that was made while it ran. */
export async function allowRedisLogin(url: string, logins: DocumentedLogins): Promise<void> {
  const client = new Redis(url);
  client.on('error', () => undefined);
  await client.call('ACL', ...(await readRedisAcl(logins.nameOf('rollout_queue'))));
  client.disconnect();
}

async function startPoolerOf(
  fleet: Fleet,
  logins: DocumentedLogins,
  control: SoakServer,
  first: SoakServer,
): Promise<Omit<TestPgbouncer, 'through'>> {
  const line = (url: string, server: SoakServer): string =>
    `${new URL(url).pathname.slice(1)} = host=${server.socketFolder()} port=5432`;
  const names = ['rollout_scheduler', 'rollout_worker', 'alice', 'bob', 'dashboard'] as const;
  return startPooler(
    [line(fleet.controlUrl, control), line(fleet.cell(0).url, first)].join('\n'),
    names.map((name) => [logins.nameOf(name), 'secret']),
  );
}
