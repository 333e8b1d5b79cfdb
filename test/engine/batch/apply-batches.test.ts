// One batch, exactly once in effect: claim, write and checkpoint are one transaction, whatever is done to it.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { lockFenceExclusive, saveFenceClosed } from '../../../src/stores/cell/batch/fence.js';
import {
  applyAll,
  applyCanary,
  contextOf,
  createTestCell,
  hasLockWait,
  openRun,
  type TestCell,
  type TestCellOptions,
} from '../../support/cell.js';
import { fillCell, slowDown, speedUp } from '../../support/fleet.js';
import { expectInvariants } from '../../support/invariants.js';
import { openTestCell } from '../../support/open-context.js';
import { waitFor } from '../../support/wait.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeCell(orgs: number, options: TestCellOptions = {}): Promise<TestCell> {
  const cell = await createTestCell(options);
  dropped.push(cell.drop);
  await fillCell(cell, orgs);
  return cell;
}

/** A run of 100 orgs a batch with its fence open, whose canary has passed: its ranges are pending. */
async function openRanges(cell: TestCell, lanes = 2): Promise<{ dataCenter: string; epoch: bigint; forMs: number }> {
  const epoch = await openRun(cell.cell, cell.card, { batchSize: 100, lanes });
  const at = { dataCenter: cell.dataCenter.id, epoch, forMs: 60_000 };
  await applyCanary(cell.cell, at);
  return at;
}

async function openSession(cell: TestCell): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: cell.url });
  client.on('error', () => undefined);
  await client.connect();
  dropped.push(() => client.end().catch(() => undefined));
  return client;
}

const one = async (cell: TestCell, sql: string): Promise<unknown> => Object.values((await cell.sql(sql))[0] ?? {})[0];
const countAllotments = (cell: TestCell): Promise<unknown> =>
  one(cell, 'select count(*) from credit_rollout.allotments');
const isTrue = (cell: TestCell, sql: string) => async (): Promise<boolean> => (await one(cell, sql)) === true;
const check = (cell: TestCell, except: readonly string[] = []): Promise<void> =>
  expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }], except });

const WRITING = `select exists (select from pg_stat_activity where datname = current_database()
  and application_name = 'credit-rollout' and wait_event = 'PgSleep')`;

describe('applyBatches: all or nothing', () => {
  test('leaves nothing half-written when the backend dies between write and commit, and does it once afterwards', async () => {
    const cell = await makeCell(1_000);
    const at = await openRanges(cell);
    const before = await countAllotments(cell);
    await slowDown(cell, 1_000);
    const running = applyBatches(cell.context, at);
    await waitFor('a batch that has written', isTrue(cell, WRITING));
    const killed =
      await cell.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
      and application_name = 'credit-rollout' and wait_event = 'PgSleep'`);
    expect(killed).toHaveLength(1);
    expect(await countAllotments(cell)).toBe(before);
    expect(await one(cell, `select count(*) from credit_rollout.batches where state = 'done' and kind = 'range'`)).toBe(
      '0',
    );
    await speedUp(cell);
    expect((await running).last.kind).toBe('nothing_pending');
    expect(await one(cell, 'select count(*) from credit_rollout.allotments')).toBe('995');
    await check(cell);
  });

  test('has one effect when every job comes ten times', async () => {
    const cell = await makeCell(2_000);
    const at = await openRanges(cell, 4);
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => applyBatches(cell.context, at)));
    expect(outcomes.reduce((sum, outcome) => sum + outcome.batches, 0)).toBe(20);
    expect(await one(cell, 'select count(*) from credit_rollout.allotment_changes')).toBe('0');
    await check(cell);
  });

  test('does nothing under an epoch that is over, to come, or behind a closed fence', async () => {
    const cell = await makeCell(300);
    const at = await openRanges(cell);
    const before = await countAllotments(cell);
    for (const epoch of [at.epoch - 1n, at.epoch + 1n, 0n])
      expect((await applyBatches(cell.context, { ...at, epoch })).last).toEqual({ kind: 'fenced' });
    await cell.cell.inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      await saveFenceClosed(tx, null);
    });
    expect(await applyBatches(cell.context, at)).toEqual({ batches: 0, last: { kind: 'fenced' } });
    expect(await countAllotments(cell)).toBe(before);
  });

  test('does nothing when the cell has another timeline than the fence was opened under', async () => {
    const cell = await makeCell(300);
    const at = await openRanges(cell);
    const before = await countAllotments(cell);
    await cell.sql(`update credit_rollout.fence set timeline = '000000FF'`);
    expect((await applyBatches(cell.context, at)).last).toEqual({ kind: 'fenced' });
    expect(await countAllotments(cell)).toBe(before);
  });
});

describe('applyBatches: lanes', () => {
  test('never has more batches open than lanes, with eight jobs at once', async () => {
    const cell = await makeCell(2_000);
    const at = await openRanges(cell, 2);
    await slowDown(cell, 60);
    const workers = Array.from({ length: 8 }, () => openTestCell(cell.url, cell.dataCenter.id));
    for (const worker of workers) dropped.push(() => worker.close());
    let most = 0;
    let over = false;
    const watch = (async () => {
      while (!over) {
        const rows = await cell.sql(`select count(*)::int as held from pg_locks where locktype = 'advisory' and granted
          and objid between 1 and 256 and database = (select oid from pg_database where datname = current_database())`);
        most = Math.max(most, Number(rows[0]?.held));
      }
    })();
    const keepTrying = async (worker: (typeof workers)[number]): Promise<void> => {
      for (;;) {
        const { last } = await applyBatches(contextOf(worker), at);
        if (last.kind !== 'no_lane') return;
      }
    };
    await Promise.all(workers.map(keepTrying));
    over = true;
    await watch;
    expect(most).toBe(2);
    await check(cell);
  });
});

describe('applyBatches: a batch that is too slow or cannot be read', () => {
  /** public.orgs as a view over org_rows, in which `term` replaces the number of agents. */
  async function makeView(cell: TestCell, term: string): Promise<void> {
    await cell.sql(`create or replace view public.orgs as select org_id, edition, paid, ${term} as agents, light_agents,
      additional_credits, legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
  }

  test('splits a batch that takes longer than a statement may, and still covers every id', async () => {
    const cell = await makeCell(100, { view: true });
    await cell.sql(`create function public.linger(ms float8) returns bigint language plpgsql stable as $$
      begin perform pg_sleep(ms / 1000); return 0; end $$`);
    await makeView(cell, 'agents + public.linger(30)');
    const at = await openRanges(cell, 1);
    const { last } = await applyBatches(cell.context, { ...at, forMs: 120_000 });
    expect(last).toEqual({ kind: 'nothing_pending' });
    expect(Number(await one(cell, 'select count(*) from credit_rollout.batches'))).toBeGreaterThan(1);
    await cell.sql(
      'create or replace function public.linger(ms float8) returns bigint language sql as $$ select 0::bigint $$',
    );
    expect(await one(cell, 'select count(*) from credit_rollout.allotments')).toBe('99');
    await check(cell);
  });

  test('quarantines the one org that cannot be read, and applies the rest', async () => {
    const cell = await makeCell(300, { view: true });
    await makeView(cell, 'case when org_id = 137 then 1 / (org_id - 137) else agents end');
    const at = await openRanges(cell);
    expect((await applyBatches(cell.context, at)).last).toEqual({ kind: 'nothing_pending' });
    expect(await cell.sql(`select org_id, reason from credit_rollout.quarantine where reason = 'unreadable'`)).toEqual([
      { org_id: '137', reason: 'unreadable' },
    ]);
    expect(await one(cell, 'select count(*) from credit_rollout.allotments')).toBe('297');
    await check(cell);
  });
});

describe('applyBatches: the product goes on', () => {
  test('takes no row lock on the product’s table and lets it be edited in the middle of a batch', async () => {
    const cell = await makeCell(200);
    const at = await openRanges(cell);
    await slowDown(cell, 700);
    const running = applyBatches(cell.context, at);
    await waitFor('a batch that has written', isTrue(cell, WRITING));
    const modes = await cell.sql(
      `select distinct mode from pg_locks where relation = 'public.orgs'::regclass and granted
        and database = (select oid from pg_database where datname = current_database())`,
    );
    expect(modes).toEqual([{ mode: 'AccessShareLock' }]);
    expect(await one(cell, `select count(*) from public.orgs where xmax <> 0`)).toBe('0');
    const editor = await openSession(cell);
    await editor.query(`set lock_timeout = '200ms'; update public.orgs set agents = agents + 1`);
    await speedUp(cell);
    expect((await running).last.kind).toBe('nothing_pending');
    await check(cell);
  });

  test('waits for a product that locks its table for three seconds, and never splits a batch for it', async () => {
    const cell = await makeCell(300);
    const at = await openRanges(cell);
    const ddl = await openSession(cell);
    await ddl.query('begin; lock table public.orgs in access exclusive mode');
    const began = Date.now();
    const running = applyBatches(cell.context, at);
    await waitFor('a batch that waits', () => hasLockWait(cell));
    await waitFor('three seconds', () => Date.now() - began > 3_000);
    await ddl.query('commit');
    expect((await running).last).toEqual({ kind: 'nothing_pending' });
    expect(await one(cell, `select count(*) from credit_rollout.batches where kind = 'range'`)).toBe('3');
    await check(cell);
  });

  test('goes on when an allotment row is held by somebody for longer than a lock is waited for', async () => {
    const cell = await makeCell(300);
    await applyAll(cell, { batchSize: 100 });
    await cell.sql('update public.orgs set agents = agents + 1000 where paid');
    const at = await openRanges(cell);
    const holder = await openSession(cell);
    await holder.query('begin; select from credit_rollout.allotments where org_id = 1 for update');
    const began = Date.now();
    const running = applyBatches(cell.context, at);
    await waitFor('2.5 seconds', () => Date.now() - began > 2_500);
    await holder.query('commit');
    expect((await running).last).toEqual({ kind: 'nothing_pending' });
    expect(
      await one(
        cell,
        `select count(*) from credit_rollout.batches
          where kind = 'range' and run_id = (select max(run_id) from credit_rollout.runs)`,
      ),
    ).toBe('3');
    await check(cell);
  });

  test('yields to a sign-up that wrote the same allotment first', async () => {
    const cell = await makeCell(100);
    const at = await openRanges(cell);
    const signUp = await openSession(cell);
    await signUp.query(`begin; insert into credit_rollout.allotments (org_id, edition, paid, agents, light_agents, base_credits, variable_credits,
      additional_credits, legacy_limit, floor, floor_edition, grandfathered_credits, total_credits, concurrency_limit, winner, origin, rate_card)
      select org_id, edition, paid, agents, light_agents, base_credits, variable_credits, additional_credits, legacy_limit, floor, floor_edition,
        grandfathered_credits, total_credits, concurrency_limit, winner, 'signup', rate_card from credit_rollout.decided where org_id = 42`);
    const running = applyBatches(cell.context, at);
    await waitFor('a batch that waits', () => hasLockWait(cell));
    await signUp.query('commit');
    expect((await running).last).toEqual({ kind: 'nothing_pending' });
    expect(
      await cell.sql(`select org_id, origin, version from credit_rollout.allotments where origin = 'signup'`),
    ).toEqual([{ org_id: '42', origin: 'signup', version: 1 }]);
    await check(cell);
  });

  test('counts add up when orgs come and go between the statements of a batch', async () => {
    const cell = await makeCell(400);
    const at = await openRanges(cell);
    await slowDown(cell, 400);
    const running = applyBatches(cell.context, at);
    await waitFor('a batch that has written', isTrue(cell, WRITING));
    await cell.sql('delete from public.orgs where org_id in (5, 105, 205)');
    await cell.insertOrgs({ org_id: 0 }, { org_id: -1 });
    await speedUp(cell);
    expect((await running).last).toEqual({ kind: 'nothing_pending' });
    expect(
      await one(
        cell,
        `select count(*) from public.orgs o where not exists (select from credit_rollout.allotments a where a.org_id = o.org_id)
      and o.edition <> 'retired' and o.org_id > 0`,
      ),
    ).toBe('0');
    // they came after the plan
    expect(await cell.sql('select org_id, reason from credit_rollout.stale_orgs order by org_id limit 2')).toEqual([
      { org_id: '-1', reason: 'appeared' },
      { org_id: '0', reason: 'appeared' },
    ]);
    await check(cell);
  });
});
