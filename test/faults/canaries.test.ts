// Org data never leaves its cell: unmistakable ids are searched for in control, in the queue and in everything that was
// logged.
import { Redis } from 'ioredis';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { approvePlan } from '../../src/engine/plan/approve-plan.js';
import { retryRun } from '../../src/engine/rollout/retry-run.js';
import { createLog } from '../../src/platform/log.js';
import { createFleet, type Fleet, slowDown } from '../support/fleet.js';
import { redisAvailable, startTestRedis } from '../support/redis.js';
import { waitFor } from '../support/wait.js';

const CANARY = /CANARY-/u; // not the stage of that name

/**
 * 600 text ids with a canary in each: some undecidable, one that breaks a rule at first, one unreadable, one for a
 * plan's lists.
 */
async function plant(fleet: Fleet): Promise<void> {
  const cell = fleet.cell(0);
  await cell.insertOrgs(
    ...Array.from({ length: 600 }, (_, n) => ({
      org_id: `CANARY-${String(n).padStart(4, '0')}-org`,
      ...(n % 40 === 3 && { edition: `CANARY-edition-${n}` }),
      ...(n === 77 && { agents: -1 }),
      ...(n === 5 && { legacy_limit: 2_000_000, peak_credits: 9_000_000 }),
    })),
  );
  await cell.sql(`create or replace view public.orgs as select org_id, edition, paid,
    case when org_id = 'CANARY-0300-org' then org_id::bigint else agents end as agents, light_agents, additional_credits, legacy_limit,
    created_at, updated_at, peak_credits from public.org_rows`);
  await cell.sql(`alter table credit_rollout.allotments add constraint not_yet check (org_id <> 'CANARY-0555-org')`);
}

/** Every text of every table of a database. */
async function dump(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const tables = await client.query(`select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')`);
  const texts: string[] = [];
  for (const { name } of tables.rows)
    texts.push(String((await client.query(`select string_agg(t::text, chr(10)) as all from ${name} t`)).rows[0].all));
  await client.end();
  return texts.join('\n');
}

async function runThroughFaults(fleet: Fleet, lines: string[]): Promise<void> {
  const log = createLog({ level: 'trace', write: (line) => lines.push(line) });
  const cell = fleet.cell(0);
  await slowDown(cell, 30);
  const killed = await fleet.spawn('worker');
  fleet.startWorker({ log });
  fleet.startScheduler({ log });
  await fleet.apply(cell);
  lines.push(await approveHeld(fleet));
  await waitFor(
    'a first range, after the canary',
    async () =>
      (await cell.sql(`select from credit_rollout.batches where state = 'done' and kind = 'range'`)).length > 0,
  );
  await cell.sql(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'credit-rollout'`,
  );
  await killed.kill();
  await fleet.waitForStages((stages) => stages[0] === 'failed');
  await cell.sql('alter table credit_rollout.allotments drop constraint not_yet');
  await retryRun(fleet.engine, cell.dataCenter.id, null);
  await fleet.waitForStages((stages) => stages[0] === 'done');
  lines.push(killed.output());
}

/** Its plan is outside the guard-rails: a second person approves it. Returns what control stored of it meanwhile. */
async function approveHeld(fleet: Fleet): Promise<string> {
  const [held] = await waitFor('the hold of its plan', async () => {
    const rows = await fleet.control(`select d.plan_id, h.value from credit_rollout_control.data_centers d
      join credit_rollout_control.holds h on h.data_center = d.id where h.code = 'needs_approval'`);
    return rows.length > 0 && rows;
  });
  expect(held?.value).toContain('quarantinedShare');
  // the plan names orgs, so that there is something that could leave with it
  const [plan] = await fleet
    .cell(0)
    .sql('select lists::text as lists, canary_ids::text as ids from credit_rollout.plans');
  expect(plan?.lists).toMatch(CANARY);
  expect(plan?.ids).toMatch(CANARY);
  const meanwhile = await dump(fleet.controlUrl);
  await approvePlan(
    { ...fleet.engine, actor: 'somebody else' },
    { planId: String(held?.plan_id), reason: 'they are known' },
  );
  return meanwhile;
}

const CELLS = [{ idType: 'text', view: true }] as const;

describe('canaries', () => {
  test('planted in every org appear nowhere outside the cell, faults and retries included (Postgres queue)', async () => {
    const fleet = await createFleet({ cells: CELLS, queue: 'postgres' });
    const lines: string[] = [];
    await plant(fleet);
    await runThroughFaults(fleet, lines);
    expect(lines.join('\n')).toContain('batch_split');
    for (const text of [lines.join('\n'), await dump(fleet.controlUrl), await dump(fleet.queueUrl ?? '')])
      expect(text).not.toMatch(CANARY);
    expect(await dump(fleet.cell(0).url)).toMatch(CANARY);
    await fleet.drop();
  });

  test.skipIf(!redisAvailable())('appear in no key, job or dump of Redis', async () => {
    const redis = await startTestRedis();
    const fleet = await createFleet({ cells: CELLS, queue: { redis: redis.url } });
    const client = new Redis(redis.url);
    const seen: string[] = [];
    const monitor = await client.monitor();
    monitor.on('monitor', (_time, args: readonly string[]) => seen.push(args.join(' ')));
    const lines: string[] = [];
    await plant(fleet);
    await runThroughFaults(fleet, lines);
    monitor.disconnect();
    client.disconnect();
    expect(seen.some((command) => command.includes('credit-rollout'))).toBe(true);
    expect([...seen, ...lines].filter((text) => CANARY.test(text))).toEqual([]);
    await fleet.drop();
    await redis.remove();
  });
});
