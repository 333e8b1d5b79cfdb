// Kind 2. What our functions, triggers, checks and defaults in control name means the same for every login, whatever it
// puts into its pg_temp, into a writable public, or first on its search path.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ControlScene, openControlScene } from './control-scene.js';

const DENIED = '42501';
const RESTRICTED = '23001';
const CHECKED = '23514';
let scene: ControlScene;
const SCHEMA = 'credit_rollout_control';
let n = 200;
beforeAll(async () => {
  scene = await openControlScene();
  await scene.fleet.control('grant create on schema public to public');
});
afterAll(async () => {
  for (const { name } of Object.values(scene.logins)) await scene.fleet.control(`drop owned by ${name}`);
  await scene.drop();
});
beforeEach(() => {
  n += 10;
});

const approve = (plan: string): string =>
  `insert into credit_rollout_control.approvals (plan_id, kind, reason) values ('${plan}', 'person', 'seen')`;
const PATH = 'set search_path = pg_temp, public, pg_catalog';
const TRUE_OF = (name: string, args: string): string =>
  `create function pg_temp.${name}(${args}) returns boolean language sql as $$ select true $$`;
/** An operator in `schema` that holds, or never does, for two values of a type. */
const operator = (schema: string, name: string, type: string, holds: boolean): readonly string[] => [
  `create function ${schema}.op_${holds}(${type}, ${type}) returns boolean language sql as $$ select ${holds} $$`,
  `create operator ${schema}.${name} (leftarg = ${type}, rightarg = ${type}, function = ${schema}.op_${holds})`,
];

describe('an author approves no plan of his own', () => {
  test.each([
    ['with a text of three characters', ['create domain pg_temp.text as pg_catalog.varchar(3)']],
    ['with a text that is a name', ['create domain pg_temp.text as pg_catalog.name']],
    [
      'with types of his own for every type that we name',
      [
        'create domain pg_temp.text as pg_catalog.bpchar',
        'create domain pg_temp.bigint as pg_catalog.int2',
        'create domain pg_temp.timestamptz as pg_catalog.date',
        'create domain pg_temp.jsonb as pg_catalog.text',
        'create domain pg_temp.interval as pg_catalog.text',
      ],
    ],
    ['with a <> of texts that never holds', operator('public', '<>', 'text', false)],
    ['with an = of texts that always holds', operator('public', '=', 'text', true)],
    ['with a <> of names that never holds', operator('pg_temp', '<>', 'name', false)],
    [
      'with a setting function of his own',
      [
        `create function pg_temp.current_setting(text, boolean) returns text language sql as $$ select 'a second person'::text $$`,
      ],
    ],
    [
      'with tables of his own for the plans and the rollout',
      [
        `create temp table plans as select * from credit_rollout_control.plans`,
        `update pg_temp.plans set author = 'somebody else'`,
        `create temp table rollout as select true as embedded`,
        `select set_config('credit_rollout_control.person', 'a second person', false)`,
      ],
    ],
  ])('%s', async (_what, before) => {
    const { both } = scene.logins;
    expect(await both.attempt(scene.register(n))).toBe('done');
    expect(await both.attempt('begin', ...before, PATH, approve(scene.planOf(n)), 'commit')).toBe(CHECKED);
  });
});

describe('names of a login’s own', () => {
  test('for the functions that ask for its roles make it no approver', async () => {
    expect(await scene.logins.operator.attempt(scene.register(n))).toBe('done');
    expect(
      await scene.logins.operator2.attempt(
        TRUE_OF('pg_has_role', 'name, oid, text'),
        TRUE_OF('pg_has_role', 'name, regrole, text'),
        TRUE_OF('has_role', 'text'),
        `create function pg_temp.to_regrole(text) returns regrole language sql as $$ select current_user::regrole $$`,
        `${PATH}, credit_rollout_control`,
        approve(scene.planOf(n)),
      ),
    ).toBe(DENIED);
  });

  test('for the approvals and transitions start no canary', async () => {
    const [dataCenter] = scene.dataCenters;
    const { scheduler } = scene.logins;
    expect(
      await scheduler.attempt(
        `create temp table approvals as select '${scene.planOf(n)}'::text as plan_id, '${dataCenter}'::text as data_center,
           ${n}::bigint as used_by_run`,
        `create temp table runs as select ${n}::bigint as run_id, 'open'::text as state, 'migrate'::text as kind`,
        `create temp table stage_transitions as select 'pending'::text as from_stage, 'done'::text as to_stage`,
        `${PATH}, credit_rollout_control`,
        `update credit_rollout_control.data_centers set stage = 'canary', run_id = ${n}, plan_id = '${scene.planOf(n)}'
           where id = '${dataCenter}'`,
      ),
    ).toBe(RESTRICTED);
    for (const operators of [operator('public', '=', 'text', true), operator('public', '=', 'bigint', true)])
      expect(
        await scheduler.attempt(
          'begin',
          ...operators,
          PATH,
          `update credit_rollout_control.data_centers set stage = 'done'`,
        ),
      ).toBe(RESTRICTED);
  });

  test('for the clock give a plan, an entry or a request no other time', async () => {
    const { operator: login } = scene.logins;
    const before = [
      `create function pg_temp.clock_timestamp() returns timestamptz language sql as $$ select '2020-01-01'::timestamptz $$`,
      `create function pg_temp.now() returns timestamptz language sql as $$ select '2020-01-01'::timestamptz $$`,
      PATH,
    ];
    expect(
      await login.attempt(
        ...before,
        scene.register(n),
        `insert into credit_rollout_control.audit (actor, action) values ('x', 'with its own clock')`,
      ),
    ).toBe('done');
    expect(
      await scene.fleet.control(
        `select p.registered_at > now() - interval '1 minute' as plan, a.at > now() - interval '1 minute' as entry
         from credit_rollout_control.plans p cross join credit_rollout_control.audit a
         where p.plan_id = $1 and a.action = 'with its own clock'`,
        [scene.planOf(n)],
      ),
    ).toEqual([{ plan: true, entry: true }]);
  });

  test('for jsonb functions let no plan pass its guard-rails', async () => {
    const { operator: login } = scene.logins;
    const before = [
      `create function public.jsonb_path_query_array(jsonb, jsonpath) returns jsonb language sql as $$ select '[true]'::jsonb $$`,
      ...operator('public', '<@', 'jsonb', true),
      'set search_path = public, pg_catalog',
    ];
    const guardRails = approve(scene.planOf(n)).replace(`'person'`, `'guard_rails'`);
    expect(await login.attempt('begin', ...before, scene.register(n), guardRails)).toBe(CHECKED);
  });

  test('for our schema are made by nobody: no type, no table, no cast of a type that is not one’s own', async () => {
    for (const login of Object.values(scene.logins))
      for (const statement of [
        'create domain credit_rollout_control.text as pg_catalog.varchar(3)',
        'create table credit_rollout_control.approvals2 ()',
        'create operator credit_rollout_control.<> (leftarg = text, rightarg = text, function = textne)',
        'create cast (text as bigint) with inout as implicit',
        'create operator class mine default for type text using btree as operator 1 <',
        'alter function credit_rollout_control.person() set search_path = pg_temp',
      ])
        expect(await login.attempt(statement)).toBe(DENIED);
  });

  test('purge no plan that is in use, by an owner’s function that finds them', async () => {
    const plan = scene.planOf(n);
    expect(await scene.logins.operator.attempt(scene.register(n))).toBe('done');
    expect(await scene.logins.approver.attempt(approve(plan))).toBe('done');
    await scene.fleet.control(`set session_replication_role = replica;
      update credit_rollout_control.plans set registered_at = now() - interval '40 days';
      set session_replication_role = origin`);
    expect(
      await scene.logins.scheduler.attempt(
        'begin',
        'create temp table approvals (plan_id text, used_at timestamptz, voided_at timestamptz, expires_at timestamptz)',
        'create domain pg_temp.interval as text',
        ...operator('public', '=', 'text', false),
        `${PATH}, credit_rollout_control`,
        `select credit_rollout_control.purge_plans(30, '{}')`,
        'commit',
      ),
    ).toBe('done');
    expect(
      await scene.fleet.control('select plan_id from credit_rollout_control.plans where plan_id = $1', [plan]),
    ).toEqual([{ plan_id: plan }]);
  });
});

describe('what a scheduler read in a cell', () => {
  const ORG = 'org 1 has 37 agents';
  const dc = (): string => scene.dataCenters[0];

  test('is kept where it is a code only', async () => {
    const { scheduler } = scene.logins;
    const hold = (code: string, value: string): string =>
      `insert into ${SCHEMA}.holds (data_center, code, value, release, needs_person, position)
       values ('${dc()}', '${code}', '${value}', 'none', true, 1)`;
    const audit = (failure: string): string =>
      `insert into ${SCHEMA}.audit (action, data_center, details)
       values ('transition', '${dc()}', '{"failure": "${failure}"}')`;
    for (const code of ['cell_trouble', 'plan_failed', 'bake_query_failed'])
      expect([code, await scheduler.attempt(hold(code, ORG))]).toEqual([code, CHECKED]);
    expect(await scheduler.attempt(audit(ORG))).toBe(CHECKED);
    expect(await scheduler.attempt(`update ${SCHEMA}.data_centers set failure = '${ORG}' where id = '${dc()}'`)).toBe(
      'done',
    );
    expect(await scene.fleet.control(`select failure from ${SCHEMA}.data_centers where id = '${dc()}'`)).toEqual([
      { failure: 'other' },
    ]);
    expect(await scene.fleet.control(`select from ${SCHEMA}.hold_log where value ~ ' '`)).toEqual([]);
    expect(
      await scheduler.attempt(hold('cell_trouble', '53100'), `select ${SCHEMA}.delete_holds('${dc()}', '{}')`),
    ).toBe('done');
    expect(await scheduler.attempt(audit('plan_edited'))).toBe('done');
  });
});

test('no data center is called control', async () => {
  await expect(
    scene.fleet.control(`insert into ${SCHEMA}.data_centers (id, position, zone) values ('control', 9, 'UTC')`),
  ).rejects.toMatchObject({ code: CHECKED, constraint: 'data_centers_id_check' });
});
