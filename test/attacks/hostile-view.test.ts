// Kind 7. The product's view may run any code where we read it: it has a role that becomes nobody else and gives none.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SOURCE_FUNCTIONS } from '../../migrations/cell/source-functions.js';
import { checkCellOwner } from '../../src/engine/doctor/check-owner.js';
import { createFindingRecorder } from '../../src/engine/doctor/finding.js';
import { initCell } from '../../src/engine/setup/init-cell.js';
import { addSignUpTrigger, installChangeFeed } from '../../src/engine/setup/triggers.js';
import { systemClock } from '../../src/kernel/clock.js';
import { cellOwnerName, cellRoleName, cellSourceRoleName } from '../../src/stores/cell/cell-database.js';
import { arm, inMs, latch, writeWaiting } from '../engine/cutover/gate-scene.js';
import { checkCells, of } from '../engine/doctor/doctor-scene.js';
import { createTestCell, type TestCell } from '../support/cell.js';
import { type CellLogins, createCellLogins } from './cell-logins.js';

const REFUSED = '42501';
let cell: TestCell;
let logins: CellLogins;
let owner: string;
let source: string;

/** What a function of the view tries; each must be refused. */
const attempts = (dataCenter: string): readonly string[] => [
  `select set_config('role', 'none', true)`,
  `select set_config('session_authorization', 'default', true)`,
  'reset role',
  'alter role current_user superuser',
  'alter role current_user createrole login',
  'create role accomplice login superuser',
  `grant "${cellRoleName(dataCenter, 'worker')}" to public_login`,
  'grant pg_execute_server_program to current_user',
  'grant pg_read_all_data to current_user',
  `copy public.kept to program 'cat'`,
  `select pg_read_file('postgresql.conf')`,
  `select pg_ls_dir('.')`,
  `select lo_import('/etc/passwd')`,
  'select * from pg_authid',
  'select pg_terminate_backend(pid) from pg_stat_activity where usesysid = 10 and pid <> pg_backend_pid()',
  'create extension dblink',
  'create schema mine',
  'create table public.mine ()',
  `insert into public.kept values ('x')`,
  'delete from public.org_rows',
  `set session_replication_role = 'replica'`,
  'alter table public.org_rows owner to current_user',
  'alter function public.spy() security definer',
  // with our schema
  'create table credit_rollout.mine ()',
  `create function credit_rollout.mine() returns void language sql as 'select'`,
  'create trigger mine before update on credit_rollout.cell for each row execute function credit_rollout.keep_epoch_growing()',
  'alter table credit_rollout.allotments disable trigger user',
  'alter function credit_rollout.record_sign_up reset all',
  'drop function credit_rollout.insert_sign_up',
  'create or replace function credit_rollout.note_sign_up(org credit_rollout.org_id) returns void language sql as $a$select$a$',
  'select * from credit_rollout.seal_key',
  'insert into credit_rollout.allotments select * from credit_rollout.allotments',
  'update credit_rollout.allotments set floor = 0',
  'delete from credit_rollout.allotment_changes',
  'update credit_rollout.cell set active_card = null',
  'update credit_rollout.fence set single_writes = true',
  'update credit_rollout.gate set latched_at = null',
  'insert into credit_rollout.sign_ups select * from credit_rollout.sign_ups',
  'delete from credit_rollout.plan_ranges',
  'update credit_rollout.plan_parts set measured = null',
  'select credit_rollout.seal_plan(1)',
  `select credit_rollout.open_run('{}')`,
  'lock table credit_rollout.allotments in access exclusive mode',
];

beforeAll(async () => {
  cell = await createTestCell({ init: 'left', view: true, key: 'none', orgs: [{}, {}] });
  const { sql, dataCenter } = cell;
  owner = cellOwnerName(dataCenter.id);
  source = cellSourceRoleName(dataCenter.id);
  await sql(`create table public.kept (what text)`);
  await sql(`create table public.tried (who text, attempt text, result text)`);
  await sql(`create table public.wanted (attempt text)`);
  await sql('grant insert on public.tried to public; grant select on public.wanted to public');
  await sql(`create role public_login`).catch(() => undefined);
  await sql('insert into public.wanted select unnest($1::text[])', [attempts(dataCenter.id)]);
  // counted also where what the view wrote is undone
  await sql('create sequence public.refusals; create sequence public.surprises');
  await sql('grant usage on public.refusals, public.surprises to public');
  // what runs at the commit, as whoever commits
  await sql('create table public.ran_later (who text); grant insert on public.ran_later to public');
  await sql(`create function public.run_later() returns boolean language sql as $$
    insert into public.ran_later values (current_user) returning true $$`);
  await sql(`create function public.run_later_by_trigger() returns trigger language plpgsql as $$
    begin perform public.run_later(); return null; end $$`);
  await sql(`create function public.leave_something() returns void language plpgsql as $$
    begin
      if exists (select from pg_cursors c where c.name = 'left_open') then return; end if;
      execute 'declare left_open cursor with hold for select public.run_later()';
      create temp table left_behind (n integer);
      create constraint trigger left_behind after insert on left_behind deferrable initially deferred
        for each row execute function public.run_later_by_trigger();
      insert into left_behind values (1);
    end $$`);
  await sql(`create function public.spy() returns boolean language plpgsql as $$
    declare one text;
    begin
      perform public.leave_something();
      for one in select attempt from public.wanted loop
        begin
          execute one;
          perform nextval('public.surprises');
          insert into public.tried values (current_user, one, 'done');
        exception when others then
          perform nextval(case when sqlstate = '${REFUSED}' and current_user ~ '_(source|worker|planner|reader|override|meter)$|^attacking_product_' then 'public.refusals'
            else 'public.surprises' end);
          insert into public.tried values (current_user, one, sqlstate);
        end;
      end loop;
      return true;
    end $$`);
  // in the id, so that it is called whatever is asked of the view
  await sql(`create or replace view public.orgs as select case when public.spy() then org_id end as org_id, edition,
    paid, agents, light_agents, additional_credits, legacy_limit, created_at, updated_at, peak_credits
    from public.org_rows`);
  await cell.init();
  logins = await createCellLogins(cell);
});
afterAll(async () => {
  await logins.drop();
  await cell.drop();
});

/** What was tried since the last question, and by whom. */
async function tried(): Promise<readonly Record<string, unknown>[]> {
  const rows = await cell.sql('select distinct who, attempt, result from public.tried order by attempt');
  await cell.sql('truncate public.tried');
  return rows;
}

async function counted(sequence: string): Promise<number> {
  const [row] = await cell.sql(`select last_value, is_called from public.${sequence}`);
  return row?.is_called === true ? Number(row.last_value) : 0;
}

const allRefused = () =>
  attempts(cell.dataCenter.id)
    .map((attempt) => ({ who: source, attempt, result: REFUSED }))
    .sort((a, b) => (a.attempt < b.attempt ? -1 : 1));
const byAttempt = (rows: readonly Record<string, unknown>[]) =>
  [...rows].sort((a, b) => (String(a.attempt) < String(b.attempt) ? -1 : 1));

describe('the code of a view', () => {
  test('has the rights of a role without login in init, and no way to the login that runs it', async () => {
    // for count_null_ids, and for measure_one_org
    expect(await counted('surprises')).toBe(0);
    expect(await counted('refusals')).toBeGreaterThanOrEqual(2 * attempts(cell.dataCenter.id).length);
    // and what it did there is undone
    expect(await tried()).toEqual([]);
  });

  test('leaves nothing that init’s login runs when it commits', async () => {
    expect(await cell.sql('select who from public.ran_later')).toEqual([]);
  });

  test('has no way to it in doctor either, whose login may be the same', async () => {
    const all = attempts(cell.dataCenter.id);
    await cell.sql('delete from public.wanted where not attempt = any ($1)', [
      all.slice(0, all.indexOf('alter table credit_rollout.allotments disable trigger user')),
    ]);
    const before = await counted('refusals');
    expect(of(await checkCells([cell]), cell.dataCenter.id).map(({ check }) => check)).toEqual(
      expect.arrayContaining(['view code', 'null ids', 'editions', 'inputs', 'sign-ups']),
    );
    expect(await counted('refusals')).toBeGreaterThan(before + 9 * 30);
    expect(await counted('surprises')).toBe(0);
    expect(await tried()).toEqual([]);
    expect(await cell.sql('select who from public.ran_later')).toEqual([]);
    await cell.sql('insert into public.wanted select unnest($1::text[]) except select attempt from public.wanted', [
      all,
    ]);
  });

  test('finds who else could act as the owner of our schema', async () => {
    const record = createFindingRecorder({ subject: 'x', title: 'x' }, 'owner');
    await cell.sql(`grant "${owner}" to public_login; create role second_member; grant "${source}" to second_member`);
    expect(await checkCellOwner({ cell: cell.cell, source: { failure: 0 } }, record)).toMatchObject({
      level: 'warning',
      found: expect.stringContaining('public_login, second_member'),
    });
    await cell.sql(`revoke "${owner}" from public_login; drop role second_member`);
  });

  test('does not run in the sign-up of the product, and has no more where a worker writes it', async () => {
    await arm(cell, inMs(-1_000));
    expect((await latch(cell)).kind).toBe('latched');
    await cell.sql(`insert into public.org_rows (org_id, edition, paid, agents, light_agents, additional_credits,
      created_at) values (90, 'standard', true, 300, 0, 0, now())`);
    await tried();
    expect(await logins.product.attempt('select credit_rollout.onboard_org(90)')).toBe('done');
    expect(await tried()).toEqual([]);
    expect(await writeWaiting(cell)).toMatchObject({ written: 1 });
    expect(byAttempt(await tried())).toEqual(allRefused());
    expect(await cell.sql('select org_id, origin from credit_rollout.allotments')).toEqual([
      { org_id: '90', origin: 'signup' },
    ]);
  });
});

describe('everything of ours', () => {
  const strangers = `
    select o.name from (
      select relname as name, relnamespace as schema, relowner as owner from pg_class
      union all select proname, pronamespace, proowner from pg_proc
      union all select typname, typnamespace, typowner from pg_type
      union all select nspname, oid, nspowner from pg_namespace) o
    where o.schema = 'credit_rollout'::regnamespace and o.owner <> $1::regrole
      and not (o.owner = $2::regrole and o.name = any ($3))`;

  test('belongs to that role, the functions of the triggers too', async () => {
    const table = { ...cell.dataCenter, source: 'public.org_rows' };
    await cell.sql(`grant select on public.org_rows to "${owner}"`);
    await initCell(cell.cell, { dataCenter: table, card: cell.card, lapseGraceDays: 30 });
    await addSignUpTrigger(cell.cell, { dataCenter: table, clock: systemClock, trigger: 'wanted' });
    await installChangeFeed(cell.cell, { dataCenter: table, clock: systemClock, feed: 'wanted' });
    expect(await cell.sql(strangers, [owner, source, SOURCE_FUNCTIONS])).toEqual([]);
  });

  test('is given to it by the next init, also where an earlier version left it to its login', async () => {
    await cell.sql('alter schema credit_rollout owner to current_user');
    await cell.sql('alter table credit_rollout.allotments owner to current_user');
    await cell.sql('alter function credit_rollout.write_sign_ups owner to current_user');
    await cell.sql('alter function credit_rollout.measure_one_org owner to current_user');
    const record = createFindingRecorder({ subject: 'x', title: 'Data center "x"' }, 'owner');
    const asked = { cell: cell.cell, source: { failure: 'not asked' } };
    expect(await checkCellOwner(asked, record)).toMatchObject({ level: 'error' });
    await cell.sql(`alter schema credit_rollout owner to "${owner}"`);
    expect(await checkCellOwner(asked, record)).toMatchObject({
      level: 'error',
      found: `functions that read the source do not belong to ${source}: measure_one_org, write_sign_ups`,
    });
    await cell.init();
    expect(await cell.sql(strangers, [owner, source, SOURCE_FUNCTIONS])).toEqual([]);
    expect(await checkCellOwner(asked, record)).toMatchObject({ level: 'ok' });
  });

  const VIEWS = [
    'source_orgs',
    'source_faults',
    'source_left_out',
    'source_updates',
    'assessed',
    'decided',
    'decided_first',
    'decided_one',
    'decided_stored',
    'list_updated',
  ];
  const textOf = `coalesce(p.prosrc, '') || coalesce(pg_get_function_sqlbody(p.oid), '')`;

  test('that has the owner’s rights neither reads the source nor calls what does', async () => {
    const readers = `select p.proname as name from pg_proc p
      where p.pronamespace = 'credit_rollout'::regnamespace and p.prosecdef and p.proowner = $1::regrole
        and ${textOf} ~ $2 order by 1`;
    const names = [...VIEWS, 'org_capacity', ...SOURCE_FUNCTIONS].join('|');
    const reads = String.raw`credit_rollout\.(${names})\M|\m(from|join)\s+(${names})\M`;
    expect(await cell.sql(readers, [owner, reads])).toEqual([]);
    // and those that do are all found that way
    expect((await cell.sql(readers, [source, reads])).map(({ name }) => name)).toEqual(
      // those read the rows of a trigger
      SOURCE_FUNCTIONS.filter((name) => name !== 'note_changed_orgs' && name !== 'onboard_inserted'),
    );
  });

  test('that runs as who writes does not read the source for the owner', async () => {
    const triggers = `select distinct p.proname as name from pg_trigger t join pg_proc p on p.oid = t.tgfoid
      where p.pronamespace = 'credit_rollout'::regnamespace and not p.prosecdef and ${textOf} ~ $1 order by 1`;
    const reading = await cell.sql(triggers, [`credit_rollout\\.(${VIEWS.join('|')})\\M`]);
    expect(reading.map(({ name }) => name)).toEqual(['check_floor_falls', 'check_org_known', 'check_written_numbers']);
    await cell.sql(`select set_config('credit_rollout.cause', 'lapse', false)`);
    await tried();
    await cell.sql(`begin; set local role "${owner}"; select set_config('credit_rollout.cause', 'lapse', true);
      update credit_rollout.allotments set floor = null, floor_edition = null; rollback`);
    expect(await tried()).toEqual([]);
  });

  test.each(
    ['login', 'superuser', 'createrole', 'createdb', 'bypassrls', 'replication'].flatMap((power) => [
      ['owner', power] as const,
      ['source', power] as const,
    ]),
  )('is given to no %s that has %s', async (which, power) => {
    const role = which === 'owner' ? owner : source;
    const record = createFindingRecorder({ subject: 'x', title: 'Data center "x"' }, 'owner');
    await cell.sql(`alter role "${role}" ${power}`);
    expect(await checkCellOwner({ cell: cell.cell, source: { failure: 0 } }, record)).toMatchObject({
      level: 'error',
      found: expect.stringContaining(power.toUpperCase()),
    });
    await expect(cell.init()).rejects.toMatchObject({
      code: 'not_permitted',
      next: expect.stringContaining(`ALTER ROLE "${role}" NO${power.toUpperCase()}; then`),
    });
    await cell.sql(`alter role "${role}" no${power}`);
  });
});
