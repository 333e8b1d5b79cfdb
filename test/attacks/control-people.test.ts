// Kind 3. Who did something in control and when is what its database authenticated and its clock, whatever a login
// sends.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';

const DENIED = '42501';
const RESTRICTED = '23001';
let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());

const first = async (text: string, params?: readonly unknown[]): Promise<Record<string, unknown> | undefined> =>
  (await scene.fleet.control(text, params))[0];

describe('the audit', () => {
  test('does not take another actor from an operator', async () => {
    const { operator } = scene.logins;
    expect(
      await operator.attempt(
        `insert into credit_rollout_control.audit (actor, action) values ('the boss', 'as the boss')`,
      ),
    ).toBe('done');
    expect(await first(`select actor from credit_rollout_control.audit where action = 'as the boss'`)).toEqual({
      actor: operator.name,
    });
  });

  test('does not take a time, or a number in its sequence, from anybody', async () => {
    for (const login of [scene.logins.operator, scene.logins.scheduler, scene.logins.approver])
      for (const column of ['at', 'seq'])
        expect(
          await login.attempt(
            `insert into credit_rollout_control.audit (actor, action, ${column})
             ${column === 'seq' ? 'overriding system value' : ''}
             values ('x', 'backdated', ${column === 'at' ? `'2020-01-01'` : '-1'})`,
          ),
        ).toBe(DENIED);
  });

  test('has the time of the statement, not that of a transaction that was begun long before', async () => {
    const { operator } = scene.logins;
    const [row] = await operator.read(
      'begin',
      'select pg_sleep(0.05)',
      `insert into credit_rollout_control.audit (actor, action) values ('x', 'late') returning at > now() as later`,
    );
    expect(row).toEqual({ later: true });
  });

  test.each([
    `update credit_rollout_control.audit set actor = 'nobody'`,
    'delete from credit_rollout_control.audit',
    'truncate credit_rollout_control.audit',
    'alter table credit_rollout_control.audit disable trigger all',
    'drop trigger audit_signed on credit_rollout_control.audit',
    'create rule silent as on insert to credit_rollout_control.audit do instead nothing',
    `merge into credit_rollout_control.audit a using (select 1) x on true when matched then delete`,
  ])('is not rewritten by anybody: %s', async (statement) => {
    for (const login of Object.values(scene.logins)) expect(await login.attempt(statement)).toBe(DENIED);
  });

  test('is not signed by another for a login that says who it is in a setting, or takes a role', async () => {
    const { operator } = scene.logins;
    for (const [action, before] of [
      ['by setting', `select set_config('credit_rollout_control.person', 'the boss', false)`],
      ['by role', 'set role credit_rollout_control_operator'],
      ['by search path', 'set search_path = pg_temp, public, pg_catalog'],
    ] as const) {
      const insert = `insert into credit_rollout_control.audit (actor, action) values ('x', '${action}')`;
      expect(await operator.attempt(before, insert)).toBe('done');
      expect(await first(`select actor from credit_rollout_control.audit where action = $1`, [action])).toEqual({
        actor: operator.name,
      });
    }
    expect(await operator.attempt('update credit_rollout_control.rollout set embedded = true')).toBe(DENIED);
  });
});

describe('an author', () => {
  test('of a plan is the login that registers it, and the time is the database’s', async () => {
    const { operator } = scene.logins;
    expect(await operator.attempt(scene.register(1))).toBe('done');
    expect(
      await first(
        `select author, registered_at > now() - interval '1 minute' as now from credit_rollout_control.plans
         where plan_id = $1`,
        [scene.planOf(1)],
      ),
    ).toEqual({ author: operator.name, now: true });
    expect(
      await operator.attempt(
        scene.register(2).replace('(plan_id', '(registered_at, plan_id').replace("('", "(now(), '"),
      ),
    ).toBe(DENIED);
  });

  test('of a plan that a scheduler registers is not whom the scheduler names', async () => {
    const { scheduler, operator } = scene.logins;
    expect(await scheduler.attempt(scene.register(3).replace('somebody else', operator.name))).toBe('done');
    expect(
      await first('select author from credit_rollout_control.plans where plan_id = $1', [scene.planOf(3)]),
    ).toEqual({ author: scheduler.name });
  });

  test('cannot be changed by deleting a plan and registering it again', async () => {
    expect(await scene.logins.both.attempt(scene.register(4))).toBe('done');
    for (const login of Object.values(scene.logins))
      expect(await login.attempt(`delete from credit_rollout_control.plans where plan_id = '${scene.planOf(4)}'`)).toBe(
        DENIED,
      );
    for (const statement of [
      `update credit_rollout_control.plans set author = 'somebody else' where plan_id = '${scene.planOf(4)}'`,
      `${scene.register(4)} on conflict (plan_id) do update set author = excluded.author`,
    ])
      expect(await scene.logins.both.attempt(statement)).toBe(DENIED);
    expect(await scene.logins.scheduler.attempt(`select credit_rollout_control.purge_plans(0, '{}')`)).toBe('22023');
    expect(await scene.logins.scheduler.attempt(`select credit_rollout_control.purge_plans(-9, '{}')`)).toBe('22023');
    expect(await scene.logins.scheduler.attempt(`select credit_rollout_control.purge_plans(1, '{}')`)).toBe('22023');
    expect(await scene.logins.scheduler.attempt(`select credit_rollout_control.purge_plans(30, '{}')`)).toBe('done');
    expect(await scene.logins.scheduler.attempt(`select credit_rollout_control.purge_plans(null, null)`)).toBe('done');
    expect(await first('select count(*) from credit_rollout_control.plans')).toEqual({ count: '3' });
  });

  test.each([
    ['postponements', `now() + interval '9 days'`],
    ['reversals', `now() + interval '9 days'`],
  ])('of %s is the login, and the columns of the second person are not for the first', async (table, at) => {
    const { operator } = scene.logins;
    const [dataCenter] = scene.dataCenters;
    await scene.fleet.control(`set session_replication_role = replica;
      update credit_rollout_control.data_centers set gate_latched_at = ${table === 'reversals' ? 'now()' : 'null'};
      set session_replication_role = origin`);
    const insert = (more = '', values = ''): string =>
      `insert into credit_rollout_control.${table} (data_center, to_at, to_local, reason${more})
       values ('${dataCenter}', ${at}, 'then', 'because'${values})`;
    for (const [column, value] of [
      ['author', `'somebody else'`],
      ['approver', `'a second person'`],
      ['state', `'applied'`],
      ['proposed_at', `'2020-01-01'`],
    ] as const)
      expect(await operator.attempt(insert(`, ${column}`, `, ${value}`))).toBe(DENIED);
    expect(await operator.attempt(insert())).toBe('done');
    expect(await first(`select author, approver, state from credit_rollout_control.${table}`)).toEqual({
      author: operator.name,
      approver: null,
      state: 'proposed',
    });
    for (const column of ['to_at = now()', `author = 'x'`, `approver = 'x'`])
      expect(await scene.logins.approver.attempt(`update credit_rollout_control.${table} set ${column}`)).toBe(DENIED);
  });
});

describe('a requester', () => {
  const request = (at: string, by = ''): string =>
    `update credit_rollout_control.data_centers set requested_at = ${at},
       plan = '{"batchSize": 100, "lanes": 2, "cardHash": "x"}'${by}
     where id = '${scene.dataCenters[1]}'`;

  test('of a rollout is the login that asks, now', async () => {
    const { operator } = scene.logins;
    expect(await operator.attempt(request('now()', `, requested_by = 'somebody else'`))).toBe(DENIED);
    expect(await operator.attempt(request(`'2020-01-01'`))).toBe('done');
    const asked = `select requested_by, requested_at > now() - interval '1 minute' as now
      from credit_rollout_control.data_centers where id = $1`;
    expect(await first(asked, [scene.dataCenters[1]])).toEqual({ requested_by: operator.name, now: true });
    // nor can another be put in afterwards, by a second request or as if nobody had asked
    const again = `update credit_rollout_control.data_centers set requested_at = now() where id = '${scene.dataCenters[1]}'`;
    expect(await scene.logins.operator2.attempt(again)).toBe(RESTRICTED);
    expect(await scene.logins.operator2.attempt(again.replace('requested_at = now()', 'requested_by = null'))).toBe(
      DENIED,
    );
    expect(await first(asked, [scene.dataCenters[1]])).toEqual({ requested_by: operator.name, now: true });
  });

  test('of a run is who asked for the rollout, whom ever the scheduler names', async () => {
    const { scheduler, operator } = scene.logins;
    await scene.past(`update credit_rollout_control.data_centers set gate_latched_at = now()
      where id = '${scene.dataCenters[0]}';
      update credit_rollout_control.data_centers set run_id = 71 where id = '${scene.dataCenters[1]}'`);
    const insert = (run: number, dataCenter: string, kind: string): string =>
      underItsEpoch(
        run,
        `insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, requested_by, opened_at)
         values (${run}, '${dataCenter}', '${kind}', 'card', 'the boss', '2020-01-01')`,
      );
    expect(await scheduler.attempt(insert(71, scene.dataCenters[1], 'migrate'))).toBe('done');
    expect(await scheduler.attempt(insert(72, scene.dataCenters[0], 'sweep'))).toBe('done');
    expect(
      await scene.fleet.control(`select run_id, requested_by, opened_at > now() - interval '1 minute' as now
        from credit_rollout_control.runs order by run_id`),
    ).toEqual([
      { run_id: '71', requested_by: operator.name, now: true },
      { run_id: '72', requested_by: null, now: true },
    ]);
    for (const login of [scene.logins.scheduler, scene.logins.operator])
      expect(await login.attempt(`update credit_rollout_control.runs set requested_by = 'the boss'`)).toBe(DENIED);
  });

  test('of a reconciliation that accepts falls is the login', async () => {
    const { operator } = scene.logins;
    const insert = (columns: string, values: string): string =>
      `insert into credit_rollout_control.reconcile_requests (data_center, allow_falls${columns})
       values ('${scene.dataCenters[0]}', true${values})`;
    expect(await operator.attempt(insert(', requested_by', `, 'the boss'`))).toBe(DENIED);
    expect(await operator.attempt(insert(', requested_at', `, '2020-01-01'`))).toBe(DENIED);
    expect(await operator.attempt(insert('', ''))).toBe('done');
    expect(await first('select requested_by from credit_rollout_control.reconcile_requests')).toEqual({
      requested_by: operator.name,
    });
    expect(await scene.logins.scheduler.attempt(insert('', ''))).toBe(DENIED);
  });
});

describe('no login of control', () => {
  test.each([
    'set role postgres',
    'set role credit_rollout_control_scheduler',
    'set session authorization postgres',
    `set session_replication_role = 'replica'`,
    'create role accomplice login',
    'alter role current_user createrole',
    'grant credit_rollout_control_approver to current_user',
    'grant credit_rollout_control_operator to pg_monitor',
    'create schema mine',
    'create extension dblink',
    `copy credit_rollout_control.audit to program 'cat'`,
    `select pg_read_file('postgresql.conf')`,
    'alter table credit_rollout_control.approvals owner to current_user',
    'reassign owned by postgres to current_user',
    'create function credit_rollout_control.person(int) returns text language sql as $$ select null::text $$',
    `create or replace function credit_rollout_control.person() returns text language sql as $$ select 'x'::text $$`,
    'create publication leak for table credit_rollout_control.audit',
    'create trigger mine before insert on credit_rollout_control.approvals for each row execute function suppress_redundant_updates_trigger()',
    'create policy p on credit_rollout_control.approvals using (true)',
    'create temp table heir () inherits (credit_rollout_control.approvals)',
    'insert into credit_rollout_control.data_centers (id, position, zone) values ($$x$$, 9, $$UTC$$)',
    'delete from credit_rollout_control.data_centers',
    'update credit_rollout_control.stage_transitions set from_stage = to_stage',
    'insert into credit_rollout_control.stage_transitions values ($$pending$$, $$done$$, $$quick$$)',
  ])('may %s', async (statement) => {
    const { viewer, operator, approver } = scene.logins;
    for (const login of [viewer, operator, approver]) expect(await login.attempt(statement)).toBe(DENIED);
  });

  test('changes due work that has ended, or ends it twice', async () => {
    const { scheduler } = scene.logins;
    const [dataCenter] = scene.dataCenters;
    await scene.past(`insert into credit_rollout_control.due_work
      (data_center, kind, local_date, due_at, due_local, state, ended_at)
      values ('${dataCenter}', 'reconcile', '2026-11-01', now(), 'then', 'missed', now())`);
    for (const change of [`state = 'due', ended_at = null`, `state = 'ran'`])
      expect(await scheduler.attempt(`update credit_rollout_control.due_work set ${change}`)).toBe(RESTRICTED);
  });
});
