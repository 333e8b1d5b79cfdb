// Kind 1. A function that runs as our schema's owner does for a role only what it is granted for: nobody else calls it,
// hangs it on a table of his own, or reaches more with it than the role's work.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addSignUpTrigger, installChangeFeed } from '../../src/engine/setup/triggers.js';
import { systemClock } from '../../src/kernel/clock.js';
import { sealInCell } from '../support/seal-in-cell.js';
import type { LoginOf } from './cell-logins.js';
import { type CellScene, openCellScene, REFUSED } from './cell-scene.js';

const ALL = [
  'worker',
  'planner',
  'reader',
  'fencer',
  'operator',
  'override',
  'meter',
  'product',
  'stranger',
] as const satisfies readonly LoginOf[];
let scene: CellScene;
beforeAll(async () => {
  scene = await openCellScene();
  const { cell, dataCenter } = scene.cell;
  await addSignUpTrigger(cell, { dataCenter, clock: systemClock, trigger: 'wanted' });
  await installChangeFeed(cell, { dataCenter, clock: systemClock, feed: 'wanted' });
});
afterAll(() => scene.drop());

describe('a trigger function of ours', () => {
  test.each([
    ['record_allotment_change', 'before update'],
    ['record_changed_allotments', 'after update'],
    ['record_removed_allotments', 'after delete'],
    ['keep_gate', 'before update'],
    ['note_changed_orgs', 'after insert'],
    ['onboard_inserted', 'after insert'],
    ['keep_override', 'before update'],
    ['refuse_change', 'before delete'],
    ['require_open_work', 'before insert'],
  ])('%s is put on a table of nobody’s own, so that no history and no sign-up is invented', async (name, event) => {
    for (const login of ALL)
      expect(
        await scene.logins[login].attempt(
          `create temp table mine (org_id bigint, floor bigint, rate_card text, version int, created_at timestamptz)`,
          `create trigger t ${event} on mine for each row execute function credit_rollout.${name}()`,
        ),
      ).toBe(REFUSED.permission);
  });

  test('that writes history refuses another table than its own, though its owner put it there', async () => {
    await scene.cell.sql(`create table public.bait (org_id bigint, floor bigint, rate_card text, version int)`);
    await scene.cell.sql(`create trigger t before update on public.bait for each row
      execute function credit_rollout.record_allotment_change()`);
    await scene.cell.sql(`insert into public.bait values (2, 900000000000000, 'x', 1)`);
    await expect(scene.cell.sql('update public.bait set version = 2')).rejects.toMatchObject({ code: REFUSED.state });
    await scene.cell.sql('drop table public.bait');
  });
});

describe('a function of ours', () => {
  test.each([
    `select credit_rollout.mark_gate_answer('x')`,
    'select credit_rollout.adopt_plan(1)',
    'select * from credit_rollout.ask_gate()',
    'select credit_rollout.wait_for_gate()',
    'select credit_rollout.sign_up(2)',
    'select credit_rollout.sign_up_carefully(2)',
    'select credit_rollout.split_batch_at(1, 1, 2, 2)',
    'select credit_rollout.lock_batch(1, 1)',
    `select credit_rollout.retire_gone(1, '{}')`,
    'select credit_rollout.record_sign_up(2)',
    `select credit_rollout.insert_sign_up('{}')`,
    'select credit_rollout.note_sign_up(2)',
    'select credit_rollout.finish_override(1)',
    'select credit_rollout.repairs_open(1, true)',
  ])('that no role has is called by none: %s', async (call) => {
    for (const login of ALL) expect(await scene.logins[login].attempt(call)).toBe(REFUSED.permission);
  });

  test.each([
    [`select credit_rollout.reverse_cutover('{}')`, ['fencer', 'operator']],
    [`select credit_rollout.open_run('{}')`, ['fencer']],
    [`select credit_rollout.begin_override('{}')`, ['override']],
    [`select credit_rollout.write_override(1, '{}')`, ['override']],
    ['select credit_rollout.complete_override(1)', ['override']],
    ['select credit_rollout.add_follow_up(1)', ['fencer']],
    [`select credit_rollout.forget_plan('{}', '{}')`, ['fencer']],
    [`select credit_rollout.forget_drift('{}', 1)`, ['fencer']],
    [`select credit_rollout.purge_nights('{}', 1)`, ['fencer']],
    [`select credit_rollout.keep_audit_head('{}')`, ['fencer']],
    [`select credit_rollout.delete_old_plan(1, '{}')`, []],
    ['select credit_rollout.delete_old_drift(1, 1)', []],
    ['select credit_rollout.delete_old_nights(1, 1)', []],
    [`select credit_rollout.sealed_days('{}', 'plan_days')`, []],
    ['select credit_rollout.add_repairs(1, 1)', ['worker']],
    [`select credit_rollout.retire_allotments(1, '{}')`, ['worker']],
    [`select credit_rollout.restore_retired(1, '{}')`, ['worker']],
    ['select credit_rollout.onboard_org(2)', ['product']],
    ['select credit_rollout.signup_model()', ['product']],
    ['select * from credit_rollout.decided(null, null, null, null)', ['worker', 'planner', 'reader', 'override']],
  ])('is no other role’s: %s', async (call, theirs) => {
    for (const login of ALL.filter((one) => !theirs.includes(one)))
      expect(await scene.logins[login].attempt(call)).toBe(REFUSED.permission);
  });

  test('is replaced, renamed, redefined or given away by none of these logins', async () => {
    for (const statement of [
      'create or replace function credit_rollout.signup_model() returns text language sql as $$ select $$credits$$ $$'.replaceAll(
        '$$credits$$',
        `'credits'`,
      ),
      'create function credit_rollout.planned(text) returns text language sql as $$ select $1 $$',
      'alter function credit_rollout.ask_gate() reset all',
      'alter function credit_rollout.keep_gate() security invoker',
      'alter function credit_rollout.signup_model() rename to mine',
      'grant execute on function credit_rollout.mark_gate_answer to public',
      'drop function credit_rollout.require_open_work() cascade',
      'alter domain credit_rollout.org_id add check (value > 5)',
      'create cast (credit_rollout.org_id as text) with inout as implicit',
      'alter schema credit_rollout rename to mine',
      'create table credit_rollout.mine ()',
    ])
      for (const login of ['worker', 'fencer', 'planner', 'product'] as const)
        expect([REFUSED.permission, '42501', '01000']).toContain(await scene.logins[login].attempt(statement));
  });

  test('purges nothing that is in use, whatever number of days it is given', async () => {
    const { fencer } = scene.logins;
    const plans = 'select plan_id from credit_rollout.plans';
    const before = await scene.cell.sql(plans);
    await scene.open();
    await scene.cell.sql(`set session_replication_role = replica;
      update credit_rollout.plans set made_at = made_at - interval '99 days'; set session_replication_role = origin`);
    const seal = (days: number | null) =>
      sealInCell(scene.cell.cell, 'retention', { plan_days: days, drift_days: days });
    for (const days of [0, -1, -9999])
      for (const call of [`forget_plan('${await seal(days)}', '{}')`, `forget_drift('${await seal(days)}', 10)`])
        expect(await fencer.attempt(`select credit_rollout.${call}`)).toBe(REFUSED.parameter);
    for (const days of [1, 98, null])
      expect(await fencer.attempt(`select credit_rollout.forget_plan('${await seal(days)}', '{}')`)).toBe('done');
    for (const call of [`forget_plan('${await seal(2147483647)}', '{}')`, `forget_drift('${await seal(1)}', -5)`])
      await fencer.attempt(`select credit_rollout.${call}`);
    expect(await scene.cell.sql(plans)).toEqual(before);
    await scene.close();
  });

  test('purges nothing for which control’s policy is not sealed, whatever a scheduler’s login asks', async () => {
    const { fencer } = scene.logins;
    const left = async () =>
      (
        await scene.cell.sql(`select (select count(*)::int from credit_rollout.plans) as plans,
          (select count(*)::int from credit_rollout.drift) as drift,
          (select count(*)::int from credit_rollout.runs where kind = 'reconcile') as nights`)
      )[0];
    await scene.cell.sql(`set session_replication_role = replica;
      update credit_rollout.runs set plan_id = null;
      update credit_rollout.plans set made_at = now() - interval '20 days';
      insert into credit_rollout.runs (run_id, kind, state, card_hash, batch_size, lanes, ended_at)
        select n, 'reconcile', 'done', '${scene.cell.card.hash}', 1, 1, now() - interval '20 days'
        from generate_series(5001, 5003) n;
      insert into credit_rollout.drift (run_id, org_id, cause, movement, outcome)
        values (5001, 1, 'seats', 'raise', 'healed'); set session_replication_role = origin`);
    const before = await left();
    expect(before).toMatchObject({ drift: 1, nights: 3 });
    const seal = (days: number, valid?: string) =>
      sealInCell(scene.cell.cell, 'retention', { plan_days: days, drift_days: days }, valid);
    for (const [plan, rows] of [
      ['1', '1, 10'],
      [`'{"plan_days": 1}'`, `'{"drift_days": 1}', 10`],
      [`'${await seal(1, '-1 second')}'`, `'${await seal(1, '-1 second')}', 10`],
      [`'${await seal(21)}'`, `'${await seal(21)}', 10`],
    ] as const)
      for (const call of [`forget_plan(${plan}, '{}')`, `forget_drift(${rows})`, `purge_nights(${rows})`])
        await fencer.attempt(`select credit_rollout.${call}`);
    expect(await left()).toEqual(before);
    const document = await seal(19);
    for (const call of [`forget_plan('${document}', '{}')`, `forget_drift('${document}', 10)`])
      expect(await fencer.attempt(`select credit_rollout.${call}`)).toBe('done');
    expect(await fencer.attempt(`select credit_rollout.purge_nights('${document}', 10)`)).toBe('done');
    expect(await left()).toMatchObject({ plans: 0, drift: 0, nights: 1 });
  });

  test('restores no org by a before-image that a worker brings, in no kind of run', async () => {
    const { worker } = scene.logins;
    await scene.open();
    await scene.cell.sql(`update credit_rollout.runs set kind = 'reconcile'`);
    await scene.cell.sql(`set session_replication_role = replica;
      delete from credit_rollout.allotments where org_id = 20; set session_replication_role = origin`);
    const found = `insert into credit_rollout.drift (run_id, org_id, cause, movement, outcome)
      values (${scene.runId}, 20, 'return', 'first', 'to_heal')`;
    const restore = `select credit_rollout.restore_retired(${scene.runId}, array[20]::credit_rollout.org_id[])`;
    const shadow = `create temp table allotment_changes as select 20::bigint as org_id, 1 as change_id, 'gone' as cause,
      '{"org_id": 20, "total_credits": 900000000000000}'::jsonb as before`;
    expect(await worker.read('begin', shadow, 'set search_path = pg_temp, credit_rollout', found, restore)).toEqual([]);
    await scene.close();
  });
});

describe('no login of a cell', () => {
  test.each([
    'set role postgres',
    'set session authorization postgres',
    `set session_replication_role = 'replica'`,
    'create role accomplice login',
    'alter role current_user superuser',
    'create extension dblink',
    `copy credit_rollout.allotments to program 'cat'`,
    `select pg_read_file('postgresql.conf')`,
    'select * from credit_rollout.gate_secret',
    'copy credit_rollout.gate_secret to stdout',
    'create temp table heir () inherits (credit_rollout.gate_secret)',
    'select last_value from credit_rollout.gate_latches',
    `select setval('credit_rollout.gate_latches', 1)`,
    `select nextval('credit_rollout.gate_latches')`,
    `insert into credit_rollout.sign_ups values (5, 'credits', now())`,
    `update credit_rollout.sign_ups set model = 'credits'`,
    'delete from credit_rollout.sign_ups',
    'update credit_rollout.rates set base = 1',
    'delete from credit_rollout.reversals',
    `insert into credit_rollout.reversals select * from credit_rollout.reversals`,
    'delete from credit_rollout.freezes',
    'delete from credit_rollout.runs',
    'update credit_rollout.plans set digest = $$x$$',
    'delete from credit_rollout.plan_groups',
    'create publication leak for table credit_rollout.allotments',
    'create trigger t before insert on credit_rollout.plans for each row execute function suppress_redundant_updates_trigger()',
    'create policy p on credit_rollout.allotments using (true)',
    'alter table credit_rollout.gate_secret owner to current_user',
    'update public.orgs set agents = 1',
    'select * from public.orgs for update',
  ])('may %s', async (statement) => {
    for (const login of ALL) expect(await scene.logins[login].attempt(statement)).toBe(REFUSED.permission);
  });
});

describe('a fencer learns no org and no bound', () => {
  test.each([
    'select lower_id from credit_rollout.batches',
    'select b from credit_rollout.batches b',
    'select to_jsonb(b) from credit_rollout.batches b',
    'select * from credit_rollout.batches',
    'update credit_rollout.batches set expected = 1 returning upper_id',
    'update credit_rollout.batches set expected = 1 where lower_id > 5',
    `insert into credit_rollout.batches (run_id, batch_no, state) values (1, 1, 'pending') returning org_ids`,
    'select run_id from credit_rollout.batches order by lower_id',
    'select run_id from credit_rollout.quarantine where org_id = 5',
    'select org_id from credit_rollout.stale_orgs',
    'select org_id from credit_rollout.drift',
    'select canary_ids from credit_rollout.plans',
    'select lists from credit_rollout.plans',
    'select * from credit_rollout.plan_ranges',
    'select * from credit_rollout.source_orgs',
    'select * from credit_rollout.allotments',
    'select * from credit_rollout.org_capacity',
    'select * from credit_rollout.allotment_changes',
    'copy credit_rollout.batches to stdout',
  ])('by %s', async (statement) => {
    expect(await scene.logins.fencer.attempt(statement)).toBe(REFUSED.permission);
  });

  test('in the statistics of the server', async () => {
    await scene.cell.sql('analyze');
    const columns = await scene.logins.fencer.read(
      `select tablename || '.' || attname as name from pg_stats where schemaname in ('credit_rollout', 'public')
         and (attname in ('org_id', 'lower_id', 'upper_id', 'org_ids', 'canary_ids', 'lists', 'inputs', 'before')
           or tablename in ('allotments', 'orgs'))`,
    );
    expect(columns).toEqual([]);
  });
});
