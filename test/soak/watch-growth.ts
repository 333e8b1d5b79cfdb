// What a soak measures again and again: memory, connections, locks, keys, and rows that must pass.
import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import type { Crew } from './crew.js';
import { describeGrowth, type Growth, type Line } from './growth.js';
import type { World } from './world.js';

export interface Watch {
  sample(atMs: number): Promise<void>;
  report(): readonly Growth[];
}

export function createWatch(world: World, crew: Crew): Watch {
  const lines = new Map<string, Line>();
  const note = (name: string, bound: number, atMs: number, value: number): void => {
    const line = lines.get(name) ?? { name, bound, samples: [] };
    line.samples.push({ atMs, value });
    lines.set(name, line);
  };
  const redis = world.redis && new Redis(world.redis.server.url, { maxRetriesPerRequest: 1 });
  redis?.on('error', () => undefined);
  return {
    sample: async (atMs) => {
      for (const { role, kind, process } of crew.members)
        if (kind === 'kept') note(`${role}: memory, MB`, 60, atMs, await readMemoryMb(process.pid));
      for (const [name, server] of Object.entries(world.servers)) {
        const [row] = await server.ask(COUNTS).catch(() => []);
        if (row === undefined) continue;
        note(`${name}: connections`, 25, atMs, Number(row.connections));
        note(`${name}: advisory locks`, 10, atMs, Number(row.locks));
        note(`${name}: oldest transaction, s`, 60, atMs, Number(row.oldest));
      }
      for (const [n, { sql }] of world.fleet.cells.entries()) {
        const [row] = await sql(PASSING).catch(() => []);
        if (row) note(`data center ${n}: rows that pass`, 400, atMs, Number(row.rows));
        if (row?.feeds === true) note(`data center ${n}: edits that wait`, 400, atMs, Number(row.edits));
      }
      const [row] = await world.fleet.control(PASSING_IN_CONTROL).catch(() => []);
      if (row) note('control: rows that pass', 40, atMs, Number(row.rows));
      const queued = await readQueueSize(world, redis).catch(() => undefined);
      if (queued !== undefined) note('queue: keys or rows', 300, atMs, queued);
    },
    report: () => {
      redis?.disconnect();
      return [...lines.values()].map(describeGrowth);
    },
  };
}

// a transaction that has only begun, and whose client went without a word, stays: it holds nothing
const COUNTS = `select (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
  (select count(*) from pg_locks where locktype = 'advisory') as locks,
  (select coalesce(extract(epoch from max(clock_timestamp() - xact_start)), 0) from pg_stat_activity
   where backend_type = 'client backend' and coalesce(backend_xid, backend_xmin) is not null) as oldest`;

/** What is deleted again within minutes: signs of life, work that waits. Edits wait for as long as the feed is off. */
const PASSING = `select (select count(*) from credit_rollout.workers) + (select count(*) from credit_rollout.schedulers)
    + (select count(*) from credit_rollout.pending_sign_ups) as rows,
  (select count(*) from credit_rollout.changed_orgs) as edits, (select single_writes from credit_rollout.fence) as feeds`;
const PASSING_IN_CONTROL = `select (select count(*) from credit_rollout_control.schedulers)
  + (select count(*) from credit_rollout_control.holds) + (select count(*) from credit_rollout_control.failed_steps) as rows`;

async function readMemoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+)/mu.exec(status)?.[1] ?? 0) / 1_024;
}

async function readQueueSize(world: World, redis: Redis | undefined): Promise<number> {
  if (redis) return redis.dbsize();
  const url = new URL(world.servers.control.url);
  url.pathname = world.logins.nameOf('rollout_queue');
  const [row] = await world.servers.control.askIn(url.href, QUEUE_ROWS);
  return Number(row?.rows);
}

/**
 * A queue on Postgres is BullMQ's own schema: every row of it, counted, since a crash loses the statistics. But for its
 * events, which fill up to about a thousand of each queue, as test/retention holds; on Redis they are one key.
 */
const QUEUE_ROWS = `select coalesce(sum((xpath('/row/n/text()', query_to_xml(
    format('select count(*) as n from %I.%I', schemaname, tablename), false, true, '')))[1]::text::bigint), 0) as rows
  from pg_tables where schemaname not in ('pg_catalog', 'information_schema') and tablename <> 'event'`;
