// Nights as wholes: limits, breakers, hand edits, backups, workers that die, and the dry run that says the same.
import { afterEach, describe, expect, test } from 'vitest';
import { CAUSES } from '../../../src/domain/reconcile/cause.js';
import { totalDrift } from '../../../src/domain/reconcile/drift-counts.js';
import { DRIFT_MOVEMENTS } from '../../../src/domain/reconcile/movement.js';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { detectDrift } from '../../../src/engine/reconcile/detect-drift.js';
import { previewDrift } from '../../../src/engine/reconcile/preview-drift.js';
import { lockFenceExclusive, saveFenceClosed, setFence } from '../../../src/stores/cell/batch/fence.js';
import { readDriftCounts } from '../../../src/stores/cell/reconcile/drift-writes.js';
import { beginPass, findMaintenance } from '../../../src/stores/cell/reconcile/maintenance.js';
import { applyAll, createTestCell, type TestCell, type TestCellOptions } from '../../support/cell.js';
import { fillCell } from '../../support/fleet.js';
import { expectInvariants } from '../../support/invariants.js';
import { waitFor } from '../../support/wait.js';
import { beginLife, closeNight, createLife, openNight, runNight } from './night.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/** So many orgs, rolled out and swept. */
async function makeCell(orgs: number, options: TestCellOptions = {}): Promise<TestCell> {
  const cell = await createTestCell(options);
  dropped.push(cell.drop);
  await fillCell(cell, orgs);
  await applyAll(cell, { batchSize: 1_000 });
  await createLife(cell).cutOver();
  return cell;
}
const one = async (cell: TestCell, sql: string): Promise<unknown> => Object.values((await cell.sql(sql))[0] ?? {})[0];
const check = (cell: TestCell, except: readonly string[] = []): Promise<void> =>
  expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }], except });
/** Decidable orgs whose allotment is not what the rule gives. */
const leftOver = (cell: TestCell): Promise<unknown> =>
  one(cell, `select count(*) from credit_rollout.decided where reason is null and movement <> 'same'`);
const outcomes = async (cell: TestCell, epoch: bigint) =>
  totalDrift(await cell.cell.inTransaction('fencer', (tx) => readDriftCounts(tx, epoch)));

describe('limits of a night', () => {
  test('many lapses are a billing outage: all are proposed, none is written, and raises go on', async () => {
    const cell = await makeCell(1_000);
    await cell.sql('update public.orgs set paid = false where org_id <= 40');
    await cell.sql(
      `update public.orgs set additional_credits = additional_credits + 5000 where org_id between 901 and 910`,
    );
    const { runId } = await runNight(cell);
    expect(
      await cell.sql(
        `select movement, outcome, count(*)::int as orgs from credit_rollout.drift where run_id = $1
      group by 1, 2 order by 1`,
        [String(runId)],
      ),
    ).toEqual([
      { movement: 'fall', outcome: 'proposed', orgs: 31 },
      { movement: 'raise', outcome: 'healed', orgs: 10 },
    ]);
    expect(
      await one(
        cell,
        'select count(*) from credit_rollout.allotments where unpaid_since is not null and org_id <= 40 and paid',
      ),
    ).toBe('0');
    expect(await one(cell, `select count(*) from credit_rollout.allotment_changes where cause = 'lapse'`)).toBe('0');
    const accepted = await runNight(cell, { falls: 'accepted' });
    expect(totalDrift(accepted.counts)).toMatchObject({ falls: 31, healed: 31, proposed: 0 });
    expect(await leftOver(cell)).toBe('0');
    await check(cell);
  });

  test('a night that would change more than maxChanged writes its raises and first decisions, and proposes every fall', async () => {
    const cell = await makeCell(400);
    await cell.sql(
      'update public.orgs set additional_credits = additional_credits + 5000 where org_id between 1 and 20',
    );
    await cell.sql('update public.orgs set additional_credits = 0 where additional_credits = 10000 and org_id > 100');
    await cell.insertOrgs({ org_id: 5_000 });
    const { counts } = await runNight(cell, { maxChanged: 40 });
    expect(totalDrift(counts)).toMatchObject({ raises: 19, first: 1, falls: 32, healed: 20, proposed: 32 });
    const within = await runNight(cell, { maxChanged: 32 });
    expect(totalDrift(within.counts)).toMatchObject({ raises: 0, falls: 32, healed: 32, proposed: 0 });
    await check(cell);
  });

  test('many gone orgs are a broken view: none is retired', async () => {
    const cell = await makeCell(400);
    await cell.sql('delete from public.orgs where org_id between 101 and 120');
    const broken = await runNight(cell);
    expect(totalDrift(broken.counts)).toMatchObject({ gone: 20, proposed: 20, healed: 0 });
    await cell.sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
      select n, 'standard', true, 300, 0, 0, '2024-03-01' from generate_series(101, 111) n`);
    const { runId, counts } = await runNight(cell);
    expect(totalDrift(counts)).toMatchObject({ gone: 9 });
    expect(
      await one(
        cell,
        `select count(*) from credit_rollout.drift where run_id = ${runId} and movement = 'gone' and outcome = 'healed'`,
      ),
    ).toBe('9');
    expect(
      await one(
        cell,
        'select count(*) from credit_rollout.allotments a where not exists (select from public.orgs o where o.org_id = a.org_id)',
      ),
    ).toBe('0');
  });

  test('an empty source retires nobody', async () => {
    const cell = await makeCell(300);
    await cell.sql('delete from public.orgs');
    const { counts } = await runNight(cell);
    expect(totalDrift(counts)).toMatchObject({ gone: 298, healed: 0, proposed: 298 });
    expect(await one(cell, 'select count(*) from credit_rollout.allotments')).toBe('298');
  });

  test('a sweep writes no fall and no change of those that have an allotment', async () => {
    const cell = await makeCell(300);
    await cell.sql('update public.orgs set additional_credits = 0, agents = agents + 50');
    const { counts } = await runNight(cell, { kind: 'sweep' });
    expect(counts).toEqual([]);
    expect(await one(cell, 'select count(*) from credit_rollout.allotment_changes')).toBe('0');
  });

  test('a lapse that comes between search and write does not slip past the limit on lapses', async () => {
    const cell = await makeCell(300);
    await cell.sql('update public.orgs set additional_credits = 0 where org_id = 9');
    const epoch = await openNight(cell);
    const job = { dataCenter: cell.dataCenter.id, epoch };
    expect(await detectDrift(cell.context, job)).toBe('detected');
    await cell.sql('update public.orgs set paid = false where org_id = 9');
    await applyBatches(cell.context, { ...job, forMs: 60_000 });
    await closeNight(cell, epoch);
    expect(await outcomes(cell, epoch)).toMatchObject({ found: 1, healed: 0, unchanged: 1 });
    expect(await one(cell, 'select version from credit_rollout.allotments where org_id = 9')).toBe(1);
  });
});

describe('hand edits and backups', () => {
  const begin = async () => {
    const life = await beginLife({}, dropped);
    await life.cutOver();
    return life;
  };

  test('a number that somebody’s SQL raised goes back to what the rule gives', async () => {
    const life = await begin();
    await life.cell.sql(
      `update credit_rollout.allotments set additional_credits = 900000, total_credits = total_credits + 900000 where org_id = 1`,
    );
    expect(await life.night()).toMatchObject({ cause: 'manual edit', movement: 'fall', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 150_000, version: 3 });
    expect(await life.night()).toBeUndefined();
    await check(life.cell);
  });

  test('a floor that somebody’s SQL raised is proposed to be what it was, every night', async () => {
    const life = await begin();
    await life.cell.sql(
      `update credit_rollout.allotments set floor = 999000, grandfathered_credits = 874000, total_credits = 999000, winner = 'legacy' where org_id = 1`,
    );
    const proposed = { cause: 'manual edit', movement: 'same', outcome: 'proposed', proposed: 150_000 };
    expect(await life.night()).toEqual(proposed);
    expect(await life.night()).toEqual(proposed);
    expect(await life.stands()).toMatchObject({ total: 999_000 });
  });

  test('an edit that comes to what the rule gives is no drift', async () => {
    const life = await begin();
    await life.cell.sql('update credit_rollout.allotments set computed_at = now() where org_id = 1');
    expect(await life.night()).toBeUndefined();
  });

  test('an allotment that somebody deleted comes back with its floor, whatever the inputs are today', async () => {
    const life = await begin();
    await life.edit({ agents: 100 });
    await life.night();
    await life.cell.sql('delete from credit_rollout.allotments where org_id = 1');
    expect(await life.sweep()).toMatchObject({ cause: 'manual edit', movement: 'first', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 150_000, floor: 150_000 });
    await check(life.cell);
  });

  test('a row that is older than its own record is a restored backup', async () => {
    const life = await begin();
    await life.edit({ agents: 500 });
    await life.night();
    await life.cell.sql(`begin; set local session_replication_role = replica; delete from credit_rollout.allotments where org_id = 1;
      insert into credit_rollout.allotments select b.* from credit_rollout.allotment_changes c,
        jsonb_populate_record(null::credit_rollout.allotments, c.before) b where c.org_id = 1; commit`);
    expect(await life.night()).toMatchObject({ cause: 'restored backup', movement: 'raise', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 175_000 });
  });

  test('a row that is lost, though it was changed once, comes back with its floor', async () => {
    const life = await begin();
    await life.edit({ agents: 100 });
    await life.night();
    await life.cell.sql(
      'begin; set local session_replication_role = replica; delete from credit_rollout.allotments where org_id = 1; commit',
    );
    expect(await life.night()).toMatchObject({ cause: 'restored backup', movement: 'first', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 150_000, floor: 150_000 });
  });

  test('an org of the rollout that lost its row at a change of timeline is named so', async () => {
    const life = await begin();
    await life.cell.sql(`begin; set local session_replication_role = replica; delete from credit_rollout.allotments where org_id = 1;
      update credit_rollout.batches set timeline = '000000FE'; commit`);
    expect(await life.night()).toMatchObject({ cause: 'restored backup', outcome: 'healed' });
  });
});

describe('detectDrift', () => {
  test('does the same once when it is killed in the middle, run twice at once, and stopped', async () => {
    const cell = await makeCell(3_000);
    await cell.sql('update public.orgs set additional_credits = additional_credits + 1');
    const epoch = await openNight(cell, { batchSize: 500 });
    const job = { dataCenter: cell.dataCenter.id, epoch };
    await cell.sql(
      `create function public.dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.15); return null; end $$`,
    );
    await cell.sql(
      'create trigger dawdle after insert on credit_rollout.drift for each statement execute function public.dawdle()',
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
    await cell.sql('drop trigger dawdle on credit_rollout.drift');
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
    const cell = await makeCell(300);
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

  test('finds and writes nothing in a frozen cell', async () => {
    const cell = await makeCell(300);
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
    const cell = await makeCell(300, { view: true });
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
    const cell = await makeCell(300);
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

  test('leaves nothing wrong behind after nights of any edits, and the dry run before each says what it does', async () => {
    const cell = await makeCell(600);
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
      // a night says of some that they are healed and proposed, which are one kind before
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

describe('previewDrift', () => {
  test('says what a night would do, stores nothing, and names the orgs', async () => {
    const cell = await makeCell(400);
    await cell.sql('update public.orgs set paid = false where org_id between 1 and 30');
    await cell.sql(`update public.orgs set agents = -1 where org_id = 41`);
    await cell.insertOrgs({ org_id: 5_000 });
    const caps = { maxChanged: null, maxLapsed: 5, falls: 'within_limits' } as const;
    const preview = await previewDrift(cell.context, { dataCenter: cell.dataCenter.id, caps, limit: 3 });
    expect(preview).toMatchObject({ orgs: 401, undecidable: 3 });
    expect(preview.reasons).toEqual([expect.stringMatching(/^\d+ orgs would lapse, above 5$/u)]);
    expect(preview.counts).toContainEqual({
      cause: 'late input',
      movement: 'first',
      orgs: 1,
      proposals: 0,
      outcome: 'to_heal',
    });
    expect(preview.counts).toContainEqual(
      expect.objectContaining({ cause: 'lapse', movement: 'fall', outcome: 'proposed' }),
    );
    expect(preview.listed).toHaveLength(3);
    expect(await one(cell, 'select count(*) from credit_rollout.drift')).toBe('0');
  });

  test('rejects a cell that has not been rolled out', async () => {
    const cell = await createTestCell();
    dropped.push(cell.drop);
    const caps = { maxChanged: null, maxLapsed: null, falls: 'within_limits' } as const;
    await expect(previewDrift(cell.context, { dataCenter: cell.dataCenter.id, caps, limit: 3 })).rejects.toMatchObject({
      code: 'wrong_stage',
    });
  });
});
