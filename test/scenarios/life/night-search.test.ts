// The search for drift: killed, fenced, frozen, with orgs that cannot be read, until a pass finds nothing.
import { afterEach, describe, expect, test } from 'vitest';
import { CAUSES } from '../../../src/domain/reconcile/cause.js';
import { DRIFT_MOVEMENTS } from '../../../src/domain/reconcile/movement.js';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { detectDrift } from '../../../src/engine/reconcile/detect-drift.js';
import { previewDrift } from '../../../src/engine/reconcile/preview-drift.js';
import { lockFenceExclusive, saveFenceClosed, setFence } from '../../../src/stores/cell/batch/fence.js';
import { cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { beginPass, findMaintenance } from '../../../src/stores/cell/reconcile/maintenance.js';
import { uniqueId } from '../../support/fleet.js';
import { waitFor } from '../../support/wait.js';
import { check, leftOver, makeCell, one, outcomes } from './many-orgs.js';
import { closeNight, openNight, runNight } from './night.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

describe('detectDrift', () => {
  test('does the same once when it is killed in the middle, run twice at once, and stopped', async () => {
    const cell = await makeCell(dropped, 3_000);
    await cell.sql('update public.orgs set additional_credits = additional_credits + 1');
    const epoch = await openNight(cell, { batchSize: 500 });
    const job = { dataCenter: cell.dataCenter.id, epoch };
    await cell.sql(
      `create function public.slow_down() returns trigger language plpgsql as $$ begin perform pg_sleep(0.15); return null; end $$`,
    );
    await cell.sql(
      'create trigger slow_down after insert on credit_rollout.drift for each statement execute function public.slow_down()',
    );
    const stopping = new AbortController();
    const running = detectDrift(cell.context, { ...job, signal: stopping.signal });
    await waitFor('a range', async () => Number(await one(cell, 'select count(*) from credit_rollout.drift')) > 0);
    await cell.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
    );
    stopping.abort();
    expect(await running).toBe('stopped');
    expect(await one(cell, 'select cut_at from credit_rollout.runs order by run_id desc limit 1')).toBeNull();
    await cell.sql('drop trigger slow_down on credit_rollout.drift');
    const twice = await Promise.all([detectDrift(cell.context, job), detectDrift(cell.context, job)]);
    expect(twice).toContain('detected');
    const all = 2_985;
    expect(await one(cell, 'select count(*) from credit_rollout.drift')).toBe(String(all));
    expect(await one(cell, `select sum(cardinality(org_ids)) from credit_rollout.batches where kind = 'repair'`)).toBe(
      String(all),
    );
    expect(await detectDrift(cell.context, job)).toBe('detected');
    await applyBatches(cell.context, { ...job, forMs: 60_000 });
    await closeNight(cell, epoch);
    expect(await outcomes(cell, epoch)).toMatchObject({ found: all, healed: all });
    await check(cell);
  });

  test('ends when the fence is closed or newer, and goes on under the next epoch', async () => {
    const cell = await makeCell(dropped, 300);
    await cell.sql('update public.orgs set agents = agents + 400');
    const epoch = await openNight(cell);
    const job = { dataCenter: cell.dataCenter.id, epoch };
    await cell.cell.inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      await saveFenceClosed(tx, null);
    });
    expect(await detectDrift(cell.context, job)).toBe('fenced');
    await cell.cell.inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      await setFence(tx, { state: 'open', epoch: epoch + 5n, runId: epoch });
    });
    expect(await detectDrift(cell.context, job)).toBe('fenced');
    expect(await detectDrift(cell.context, { ...job, epoch: epoch + 5n })).toBe('detected');
  });

  test('waits while a check that holds reads does not pass, and goes on once it does', async () => {
    // roles are the server's: what one is granted here, no other test's worker may have
    const cell = await makeCell(dropped, 300, { dataCenter: uniqueId('t') });
    await cell.sql('update public.orgs set agents = agents + 400');
    const epoch = await openNight(cell);
    const job = { dataCenter: cell.dataCenter.id, epoch };
    const checks = [{ name: 'sessions', limit: 1_000 }];
    await cell.sql('select credit_rollout.set_checks($1::jsonb)', [JSON.stringify(checks)]);
    const stopping = new AbortController();
    const clock = { ...cell.context.clock, sleep: async () => stopping.abort() };
    // it may not read the sessions of others
    expect(await detectDrift({ ...cell.context, clock }, { ...job, signal: stopping.signal })).toBe('stopped');
    expect(await one(cell, 'select count(*) from credit_rollout.drift')).toBe('0');
    const worker = cellRoleName(cell.dataCenter.id, 'worker');
    await cell.sql(`grant pg_read_all_stats to "${worker}"`);
    await cell.sql('update credit_rollout.throttle set sampled_at = null, looked_at = null, lanes = null');
    expect(await detectDrift(cell.context, job)).toBe('detected');
    await cell.sql(`revoke pg_read_all_stats from "${worker}"`);
  });

  test('finds and writes nothing in a frozen cell', async () => {
    const cell = await makeCell(dropped, 300);
    await cell.sql('update public.orgs set agents = agents + 400');
    const epoch = await openNight(cell);
    const job = { dataCenter: cell.dataCenter.id, epoch };
    await detectDrift(cell.context, job);
    await cell.sql(`insert into credit_rollout.freezes (reason) values ('test')`);
    expect(await detectDrift(cell.context, job)).toBe('fenced');
    expect((await applyBatches(cell.context, { ...job, forMs: 60_000 })).last).toEqual({ kind: 'fenced' });
    expect(await one(cell, 'select count(*) from credit_rollout.allotment_changes')).toBe('0');
  });

  test('quarantines the org that cannot be read, in the search and in the middle of a repair, and heals the rest', async () => {
    const cell = await makeCell(dropped, 300, { view: true });
    const show = (agents: string) =>
      cell.sql(`create or replace view public.orgs as select org_id, edition, paid, ${agents} as agents, light_agents,
      additional_credits, legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
    await cell.sql('update public.org_rows set agents = agents + 400');
    await show('case when org_id = 50 then 1 / (org_id - 50) else agents end');
    const epoch = await openNight(cell);
    const job = { dataCenter: cell.dataCenter.id, epoch };
    expect(await detectDrift(cell.context, job)).toBe('detected');
    await show('case when org_id in (50, 150) then 1 / (org_id - 50) + 1 / (org_id - 150) else agents end');
    expect((await applyBatches(cell.context, { ...job, forMs: 60_000 })).last).toEqual({ kind: 'nothing_pending' });
    await closeNight(cell, epoch);
    expect(
      await cell.sql(`select org_id from credit_rollout.quarantine where reason = 'unreadable' order by 1`),
    ).toEqual([{ org_id: '50' }, { org_id: '150' }]);
    await show('agents');
    expect(await leftOver(cell)).toBe('2');
  });

  test('sweeps until a pass finds nothing, orgs with low ids and old sign-ups among them', async () => {
    const cell = await makeCell(dropped, 300);
    const epoch = await openNight(cell, { kind: 'sweep' });
    const job = { dataCenter: cell.dataCenter.id, epoch };
    const pass = async (): Promise<number | undefined> => {
      expect(await detectDrift(cell.context, job)).toBe('detected');
      expect((await applyBatches(cell.context, { ...job, forMs: 60_000 })).last.kind).toBe('nothing_pending');
      return (await cell.cell.inTransaction('fencer', (tx) => findMaintenance(tx, epoch)))?.found;
    };
    const again = () => cell.cell.inTransaction('fencer', (tx) => beginPass(tx, epoch));
    await cell.insertOrgs({ org_id: -5, created_at: '2019-01-01' }, { org_id: 9_000 });
    expect(await pass()).toBeGreaterThan(0);
    await cell.insertOrgs({ org_id: -9, created_at: '2018-01-01' });
    await again();
    expect(await pass()).toBeGreaterThan(0);
    await again();
    expect(await pass()).toBe(0);
    await closeNight(cell, epoch);
    expect(
      await one(
        cell,
        `select count(*) from credit_rollout.source_orgs s where not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
      and s.edition <> 'retired'`,
      ),
    ).toBe('0');
    await check(cell);
  });

  test('leaves nothing wrong behind after nights of any edits, and the dry run before each predicts what it does', async () => {
    const cell = await makeCell(dropped, 600);
    await cell.sql('select setseed(0.42)');
    for (let night = 1; night <= 4; night += 1) {
      await cell.sql(`update public.orgs set
        edition = case when random() < 0.1 then (array['free', 'express', 'standard', 'professional', 'enterprise', 'zoho_one', 'retired'])[1 + (random() * 6)::int] else edition end,
        paid = case when random() < 0.1 then not paid else paid end,
        agents = case when random() < 0.2 then (random() * 900)::int else agents end,
        light_agents = case when random() < 0.1 then (random() * 300)::int else light_agents end,
        additional_credits = case when random() < 0.1 then (random() * 20000)::int else additional_credits end,
        legacy_limit = case when random() < 0.05 then (random() * 500000)::int when random() < 0.05 then null else legacy_limit end
        where random() < 0.6`);
      await cell.sql('delete from public.orgs where random() < 0.01');
      await cell.sql(
        `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
        select n + $1::int * 1000, 'standard', true, 300, 0, 0, '2025-11-20' from generate_series(1, 5) n on conflict do nothing`,
        [night],
      );
      const caps = { maxChanged: null, maxLapsed: null, falls: 'accepted' } as const;
      const preview = await previewDrift(cell.context, { dataCenter: cell.dataCenter.id, caps, limit: 10 });
      const { counts } = await runNight(cell, { falls: 'accepted' });
      // a night reports some as healed and proposed, which are one kind before
      const fold = (list: typeof counts) =>
        CAUSES.flatMap((cause) =>
          DRIFT_MOVEMENTS.map((movement) => {
            const own = list.filter((count) => count.cause === cause && count.movement === movement);
            return `${cause} ${movement} ${own.reduce((sum, { orgs }) => sum + orgs, 0)}`;
          }),
        );
      expect(fold(preview.counts)).toEqual(fold(counts));
      expect(preview.counts.reduce((sum, { orgs }) => sum + orgs, 0)).toBeGreaterThan(100);
      expect(await leftOver(cell)).toBe('0');
      await check(cell, ['I1']);
    }
  });
});
