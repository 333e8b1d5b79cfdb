// What a scheduler's login, or any login of control, does alone to the nights, the clock and the work of others.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addException, answerException } from '../../src/engine/usage/exceptions.js';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';

const RESTRICTED = '23001';
const CHECKED = '23514';
const DENIED = '42501';
const schema = 'credit_rollout_control';
let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());
const dc = (): string => scene.dataCenters[0];
beforeEach(() =>
  scene.past(`delete from ${schema}.due_work; delete from ${schema}.runs; delete from ${schema}.reconcile_requests;
    delete from ${schema}.schedulers`),
);

/** The newest local date whose night has come, so many days ago, and its instant by the policy. */
const NIGHT = (daysAgo: number): string => `(select n.at as due_at, n.day as local_date
  from ${schema}.data_centers d cross join lateral (
    select (g.day + (${schema}.setting('reconcile.at') #>> '{}')::time) at time zone d.zone as at, g.day
    from (select (now() at time zone d.zone)::date - k as day from generate_series(0, 9) k) g) n
  where d.id = '${dc()}' and n.at <= now() order by n.day desc offset ${daysAgo} limit 1)`;
const night = (daysAgo: number, change: Readonly<Record<string, string>> = {}): string => {
  const columns: Readonly<Record<string, string>> = {
    ...{ data_center: `'${dc()}'`, kind: `'reconcile'`, local_date: 'n.local_date', due_at: 'n.due_at' },
    ...{ due_local: `'then'`, state: `'due'` },
    ...change,
  };
  return `insert into ${schema}.due_work (${Object.keys(columns).join(', ')})
    select ${Object.values(columns).join(', ')} from ${NIGHT(daysAgo)} n`;
};
const run = (id: number, more = ''): string =>
  underItsEpoch(
    id,
    `insert into ${schema}.runs (run_id, data_center, kind, card_hash${more && ', state, ended_at, counts'})
     values (${id}, '${dc()}', 'reconcile', 'card'${more})`,
  );
const begin = (id: number): string =>
  `update ${schema}.due_work set state = 'running', started_at = '2020-01-01', run_id = ${id} where state = 'due'`;
const end = (id: number): readonly string[] => [
  `update ${schema}.due_work set state = 'ran', ended_at = '2020-01-01' where run_id = ${id}`,
  `update ${schema}.runs set state = 'done', ended_at = now() where run_id = ${id}`,
];

describe('a night', () => {
  test('is had once a day, at its time, and dated by the database', async () => {
    const { scheduler } = scene.logins;
    expect(await scheduler.attempt(night(0), run(1), begin(1), ...end(1))).toBe('done');
    expect(
      await scene.fleet.control(`select started_at > now() - interval '1 minute' as began, due_local <> 'then' as shown,
        ended_at > now() - interval '1 minute' as ended from ${schema}.due_work`),
    ).toEqual([{ began: true, shown: true, ended: true }]);
    expect(await scheduler.attempt(night(0))).toBe('23505');
    expect(await scheduler.attempt(run(2))).toBe(RESTRICTED);
    expect(await scheduler.attempt(begin(1))).toBe('done');
    expect(await scheduler.attempt(`update ${schema}.due_work set state = 'due', ended_at = null`)).toBe(RESTRICTED);
  });

  test.each([
    ['of tomorrow', () => night(0, { local_date: 'n.local_date + 1' })],
    ['of the day before, at the time of this one', () => night(0, { local_date: 'n.local_date - 1' })],
    ['at another time of the day', () => night(1, { due_at: `n.due_at + interval '4 hours'` })],
    ['of last week', () => night(6)],
    ['at infinity', () => night(0, { due_at: `'infinity'` })],
    ['on no day', () => night(0, { local_date: `'infinity'` })],
    ['that ran', () => night(1, { state: `'ran'`, ended_at: 'now()' })],
    ['that runs', () => night(0, { state: `'running'`, run_id: '7' })],
    ['that counted', () => night(0, { counts: `'{}'` })],
  ])('is not had that is one %s', async (_what, insert) => {
    expect(await scene.logins.scheduler.attempt(insert())).toMatch(/^(23514|22008)$/u);
  });

  test('that was missed is recorded, now', async () => {
    expect(await scene.logins.scheduler.attempt(night(6, { state: `'missed'`, ended_at: `'2020-01-01'` }))).toBe(
      'done',
    );
    expect(
      await scene.fleet.control(`select ended_at > now() - interval '1 minute' as now from ${schema}.due_work`),
    ).toEqual([{ now: true }]);
  });

  test('takes no run that has ended, nor that of another data center', async () => {
    const { scheduler } = scene.logins;
    await scene.past(`insert into ${schema}.runs (run_id, data_center, kind, card_hash, state, ended_at) values
      (5, '${dc()}', 'reconcile', 'card', 'done', now()), (6, '${scene.dataCenters[1]}', 'reconcile', 'card', 'open', null)`);
    expect(await scheduler.attempt(night(0))).toBe('done');
    for (const id of [5, 6, 7]) expect(await scheduler.attempt(begin(id))).toBe(RESTRICTED);
  });

  test('has no run that has ended before it began', async () => {
    const { scheduler } = scene.logins;
    expect(await scheduler.attempt(night(0))).toBe('done');
    expect(await scheduler.attempt(run(8, `, 'done', '2020-01-01', '{"orgs": 1}'`))).toBe(RESTRICTED);
    expect(await scheduler.attempt(run(8, `, 'open', null, '{"orgs": 1}'`))).toBe(RESTRICTED);
    expect(await scheduler.attempt(run(8))).toBe('done');
  });

  test('that somebody asked for needs none that is due', async () => {
    const { operator, scheduler } = scene.logins;
    const ask = `insert into ${schema}.reconcile_requests (data_center, reason) values ('${dc()}', 'x')`;
    expect(await operator.attempt(ask)).toBe('done');
    const take = `update ${schema}.reconcile_requests set run_id = 9`;
    expect(await scheduler.attempt('begin', run(9), take, 'commit')).toBe('done');
    await scene.past(`update ${schema}.runs set state = 'done', ended_at = now()`);
    expect(await scheduler.attempt(run(10))).toBe(RESTRICTED);
  });
});

describe('a run that was aborted', () => {
  test('is opened again by no login', async () => {
    await scene.past(`insert into ${schema}.runs (run_id, data_center, kind, card_hash, state, ended_at)
      values (11, '${dc()}', 'migrate', 'card', 'aborted', now())`);
    for (const state of ['open', 'failed'])
      for (const login of ['scheduler', 'operator', 'operator2', 'both'] as const)
        expect(
          await scene.logins[login].attempt(
            `update ${schema}.runs set state = '${state}', ended_at = ${state === 'open' ? 'null' : 'now()'}`,
          ),
        ).toBe(RESTRICTED);
  });
});

describe('an alarm', () => {
  const alarm = (dueAt: string): string => `insert into ${schema}.due_work (data_center, kind, local_date, due_at,
      due_local, state, ended_at)
    select d.id, 'alarm_48h', (a.at at time zone d.zone)::date, a.at, 'then', 'ran', now()
    from ${schema}.data_centers d cross join lateral (select ${dueAt} as at) a where d.id = '${dc()}'`;
  test('is that of the pinned instant, and has come', async () => {
    const { scheduler } = scene.logins;
    await scene.past(`update ${schema}.data_centers set cutover_at = now() + interval '47 hours', cutover_local = 'x'`);
    expect(await scheduler.attempt(alarm(`now() - interval '2 hours'`))).toBe(CHECKED);
    expect(await scheduler.attempt(alarm(`d.cutover_at - interval '48 hours'`))).toBe('done');
    await scene.past(`delete from ${schema}.due_work;
      update ${schema}.data_centers set cutover_at = now() + interval '90 hours'`);
    expect(await scheduler.attempt(alarm(`d.cutover_at - interval '48 hours'`))).toBe(CHECKED);
    await scene.past(`update ${schema}.data_centers set cutover_at = null, cutover_local = null`);
  });
});

describe('a scheduler', () => {
  test('was seen when this database saw it', async () => {
    const { scheduler } = scene.logins;
    const ghost = `insert into ${schema}.schedulers (scheduler_id, seen_at, started_at)
      values ('ghost', 'infinity', 'infinity')`;
    expect(await scheduler.attempt(ghost)).toBe('done');
    expect(await scheduler.attempt(`update ${schema}.schedulers set seen_at = now() + interval '1 year'`)).toBe('done');
    expect(
      await scene.fleet.control(`select seen_at <= clock_timestamp() and started_at <= clock_timestamp() as past
        from ${schema}.schedulers`),
    ).toEqual([{ past: true }]);
  });
});

describe('every date and instant of control', () => {
  test('is one that a program can hold, in every table', async () => {
    const unguarded = await scene.fleet.control(`select distinct c.relname from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        and a.atttypid in ('date'::regtype, 'timestamptz'::regtype)
      where c.relnamespace = '${schema}'::regnamespace and c.relkind = 'r' and c.relname !~ 'migrations'
        and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = c.relname || '_zz_instants'
          and pg_get_triggerdef(t.oid) ~ a.attname)`);
    expect(unguarded).toEqual([]);
    for (const at of ['infinity', '-infinity', '1000-01-01', '12000-01-01', '0100-01-01 BC'])
      expect(
        await scene.logins.scheduler.attempt(
          `update ${schema}.data_centers set bake_until = '${at}' where id = '${dc()}'`,
        ),
      ).toBe(CHECKED);
  });
});

describe('the audit', () => {
  test.each(['null', '[1]', '7', '"x"', `{"x": "${'y'.repeat(100_001)}"}`])(
    'has no row with details %.20s',
    async (details) => {
      const insert = `insert into ${schema}.audit (action, details) values ('x', '${details}')`;
      for (const login of ['operator', 'approver', 'scheduler'] as const)
        expect(await scene.logins[login].attempt(insert)).toBe(CHECKED);
    },
  );
});

describe('an exception', () => {
  test('is asked for and answered in no cell without its row of the audit', async () => {
    const { engine, control } = scene.fleet;
    const cell = scene.fleet.cell(0);
    await cell.insertOrgs({});
    const org = { dataCenter: cell.dataCenter.id, orgId: '1' };
    const wish = { ...org, text: 'more calls', wanted: null, until: null };
    const breakOff = `create or replace function public.break_off() returns trigger language plpgsql as
      'begin raise exception ''gone''; end'; create trigger a_break_off before insert on ${schema}.audit
      for each row execute function public.break_off()`;
    const goOn = `drop trigger a_break_off on ${schema}.audit`;
    await control(breakOff);
    await expect(addException(engine, wish, 'x')).rejects.toBeDefined();
    await control(goOn);
    expect(await cell.sql('select from credit_rollout.exceptions')).toEqual([]);
    await addException(engine, wish, 'x');
    await control(breakOff);
    await expect(answerException(engine, org, { kind: 'withdrawn' }, 'x')).rejects.toBeDefined();
    await control(goOn);
    expect(await cell.sql('select state from credit_rollout.exceptions')).toEqual([{ state: 'open' }]);
  });
});

describe('the order of starts and of changes of the policy', () => {
  const change = `insert into ${schema}.policy_changes (name, reason, to_value) values ('reconcile.maxChanged', 'x', '77')`;
  const apply = `update ${schema}.policy_changes set state = 'applied' where state = 'proposed'`;

  test('is kept by no lock that others can hold', async () => {
    const { operator, approver, viewer } = scene.logins;
    const session = await viewer.connect();
    try {
      await session.query('select pg_advisory_lock(1129467728, 1)');
      expect(await operator.attempt(change)).toBe('done');
      expect(await approver.attempt(`set lock_timeout = '2s'`, apply)).toBe('done');
    } finally {
      await session.end();
    }
    for (const login of ['operator', 'approver', 'viewer', 'scheduler'] as const)
      for (const lock of [
        `select from ${schema}.policy_order for share`,
        `select from ${schema}.policy_order for update`,
        `update ${schema}.policy_order set only_row = true`,
      ])
        expect(await scene.logins[login].attempt(lock)).toBe(DENIED);
  });

  test('has no triggers that hang on tables of others', async () => {
    const { scheduler } = scene.logins;
    expect(
      await scheduler.attempt(
        'create temp table mine (n integer)',
        `create trigger t before update on mine for each row execute function ${schema}.order_policy('start')`,
      ),
    ).toBe(DENIED);
  });
});
