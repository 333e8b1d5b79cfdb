// Every kind of fault that a soak injects. Each heals what it broke before it resolves.
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { systemClock } from '../../src/kernel/clock.js';
import type { Crew } from './crew.js';
import type { Random } from './options.js';
import { allowRedisLogin, type World } from './world.js';

export interface Fault {
  readonly kind: string;
  /** How often, beside the others. */
  readonly weight: number;
  inject(): Promise<unknown>;
}

/** Those that are possible here. `pace`: how long a fault lasts, as a part of the usual time. */
export function listFaults(world: World, crew: Crew, random: Random, pace: number): readonly Fault[] {
  const { servers, proxies, redis, pooler, disk } = world;
  const wait = (fromMs: number, toMs: number): Promise<void> => systemClock.sleep(random.between(fromMs, toMs) * pace);
  const anyServer = () => random.pick(Object.values(servers));
  const anyProxy = () => random.pick(Object.values(proxies));
  const faults: Fault[] = [
    { kind: 'kill -9 of a process', weight: 4, inject: () => crew.kill(random) },
    { kind: 'SIGTERM of a process', weight: 1, inject: () => crew.terminate(random) },
    { kind: 'SIGSTOP of a process', weight: 2, inject: () => crew.suspend(random, () => wait(500, 8_000)) },
    {
      kind: 'backends terminated',
      weight: 4,
      inject: () =>
        anyServer().ask(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name like 'credit-rollout%' and random() < $1`,
          [random.next()],
        ),
    },
    { kind: 'kill -9 of a backend', weight: 1, inject: () => killBackend(world, random) },
    { kind: 'kill -9 of a postmaster', weight: 2, inject: () => anyServer().crash('SIGKILL') },
    { kind: 'server stopped at once', weight: 1, inject: () => anyServer().crash('SIGQUIT') },
    { kind: 'server restarted', weight: 1, inject: () => anyServer().crash('SIGINT') },
    { kind: 'connections reset', weight: 4, inject: async () => anyProxy().cut() },
    {
      kind: 'network slow',
      weight: 2,
      inject: async () => {
        const proxy = anyProxy();
        proxy.slow(random.between(20, 300));
        await wait(1_000, 10_000);
        proxy.heal();
      },
    },
    {
      kind: 'network silent',
      weight: 2,
      inject: async () => {
        const proxy = anyProxy();
        proxy.hold();
        await wait(1_000, 12_000);
        if (random.chance(0.5)) proxy.cut();
        proxy.heal();
      },
    },
    { kind: 'connections forgotten', weight: 1, inject: async () => anyProxy().forget() },
    {
      kind: 'standby promoted, tail lost',
      weight: 1,
      inject: async () => {
        await servers.second.failOver(random.between(500, 4_000) * pace);
        proxies.second.cut();
        await servers.second.addStandby();
      },
    },
  ];
  if (pooler !== undefined) faults.push({ kind: 'PgBouncer killed', weight: 1, inject: () => pooler.crash() });
  if (redis !== undefined) faults.push(...listRedisFaults(world, redis, random, wait));
  if (crew.clock !== undefined) {
    const { clock } = crew;
    faults.push({
      kind: 'clock of a process jumps',
      weight: 2,
      inject: async () => {
        await clock.set(random.pick([-86_400, -7_200, -60, 60, 3_600, 200_000]));
        await wait(1_000, 15_000);
        if (random.chance(0.7)) await clock.set(0);
      },
    });
  }
  if (disk !== undefined)
    faults.push({
      kind: 'disk full',
      weight: 1,
      inject: async () => {
        await fillDisk(join(disk, 'filler'), () => wait(1_000, 8_000));
        // a full disk of the log ends a server
        await servers.first.ensureRunning();
      },
    });
  return faults;
}

function listRedisFaults(
  { logins }: World,
  redis: NonNullable<World['redis']>,
  random: Random,
  wait: (fromMs: number, toMs: number) => Promise<void>,
): readonly Fault[] {
  const run = async (...command: readonly [string, ...string[]]): Promise<void> => {
    const client = new Redis(redis.server.url, { maxRetriesPerRequest: 2 });
    client.on('error', () => undefined);
    try {
      await client.call(...command);
    } finally {
      client.disconnect();
    }
  };
  return [
    { kind: 'Redis FLUSHALL', weight: 2, inject: () => run('FLUSHALL') },
    { kind: 'Redis clients killed', weight: 2, inject: () => run('CLIENT', 'KILL', 'TYPE', 'normal') },
    {
      kind: 'Redis killed',
      weight: 1,
      inject: async () => {
        await redis.server.kill();
        await wait(200, 5_000);
        redis.server = await redis.server.restart(random.pick(['kept', 'empty']));
        await allowRedisLogin(redis.server.url, logins);
      },
    },
  ];
}

/** The server restarts all its sessions: what the backend held in shared memory is not trusted. */
async function killBackend({ servers }: World, random: Random): Promise<void> {
  const server = random.pick(Object.values(servers));
  const [row] = await server.ask(
    `select pid from pg_stat_activity where application_name like 'credit-rollout%' order by random() limit 1`,
  );
  if (row === undefined) return;
  process.kill(Number(row.pid), 'SIGKILL');
  await server.ensureRunning();
}

/** Takes what is free, until nothing is left, for as long as `wait` says. */
async function fillDisk(path: string, wait: () => Promise<void>): Promise<void> {
  const file = await open(path, 'w');
  try {
    for await (const zeros of createReadStream('/dev/zero', { highWaterMark: 4 * 1_024 * 1_024 }))
      await file.writeFile(zeros);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    await wait();
  } finally {
    await file.close();
    await rm(path);
  }
}
