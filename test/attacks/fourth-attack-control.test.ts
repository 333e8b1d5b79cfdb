// What a fourth review with the documented logins found in control, each as it was done: decisions and seals by an old
// snapshot, rows of the transaction itself that looked committed.
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ControlScene, openControlScene } from './control-scene.js';

const STATE = '55000';
const CHECKED = '23514';
const WAITED = '55P03';
const schema = 'credit_rollout_control';
let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());
beforeEach(() =>
  scene.past(`delete from ${schema}.policy_changes; delete from ${schema}.cell_proposals;
    delete from ${schema}.approvals; delete from ${schema}.runs;
    update ${schema}.policy set value = '"auto"', change_id = null where name = 'rollout.approval';
    update ${schema}.data_centers set stage = 'pending', run_id = null, plan_id = null, epoch = null`),
);

const dc = (): string => scene.dataCenters[0];
const rows = (text: string): Promise<readonly Record<string, unknown>[]> => scene.fleet.control(text);
const ask = (value: string): string =>
  `insert into ${schema}.policy_changes (name, reason, to_value) values ('rollout.approval', 'stricter', '"${value}"')`;
const APPLY = `update ${schema}.policy_changes set state = 'applied' where state = 'proposed'`;

const DIGEST = 'd'.repeat(64);

/** Opens a transaction of this level that has seen the database, runs what happens meanwhile, and then `late`. */
async function withOldSnapshot(
  login: 'approver' | 'scheduler',
  level: string,
  meanwhile: (session: pg.Client) => Promise<unknown>,
  ...late: readonly string[]
): Promise<string> {
  const session = await scene.logins[login].connect();
  try {
    await session.query(`begin isolation level ${level}`);
    await session.query(`select count(*) from ${schema}.policy`);
    await meanwhile(session);
    for (const statement of late) await session.query(statement);
    return 'done';
  } catch (error) {
    return String((error as pg.DatabaseError).code);
  } finally {
    await session.end();
  }
}

describe('an old snapshot', () => {
  const name = (): string => scene.logins.approver.name;
  test.each([
    [
      'revoke, once it is decided',
      () => `revoke credit_rollout_control_approver from ${name()}`,
      () => `grant credit_rollout_control_approver to ${name()}`,
      [APPLY],
    ],
    ['nologin', () => `alter role ${name()} nologin`, () => `alter role ${name()} login`, []],
    [
      'valid until',
      () => `alter role ${name()} valid until '2020-01-01'`,
      () => `alter role ${name()} valid until 'infinity'`,
      [],
    ],
    [
      'revoke',
      () => `revoke credit_rollout_control_approver from ${name()}`,
      () => `grant credit_rollout_control_approver to ${name()}`,
      [],
    ],
  ])('decides nothing for an approver who was dismissed by %s', async (_how, dismiss, takeBack, early) => {
    for (const level of ['read committed', 'repeatable read', 'serializable']) {
      expect(await scene.logins.operator.attempt(ask('required'))).toBe('done');
      const meanwhile = async (session: pg.Client): Promise<void> => {
        for (const statement of early) await session.query(statement);
        await rows(dismiss());
      };
      const late = early.length > 0 ? ['commit'] : [APPLY, 'commit'];
      const outcome = await withOldSnapshot('approver', level, meanwhile, ...late);
      await rows(takeBack());
      expect(outcome).toMatch(/^(55000|23001|42501)$/u);
      expect(await rows(`select state from ${schema}.policy_changes`)).toEqual([{ state: 'proposed' }]);
      await scene.past(`delete from ${schema}.policy_changes`);
    }
  });

  test('writes no row of control', async () => {
    // the chain of the audit is written by a trigger of the owner, which checks its own snapshot
    const open = await rows(`select c.relname from pg_class c
      where c.relnamespace = '${schema}'::regnamespace and c.relkind = 'r' and c.relname !~ '^migrations|^decision_probes$|^audit_(links|gaps|head)$'
        and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgtype & 30 = 30 and t.tgenabled = 'O'
          and t.tgfoid = '${schema}.require_read_committed'::regproc)`);
    expect(open).toEqual([]);
    const late = [`update ${schema}.data_centers set quiet = quiet`, `select ${schema}.delete_holds('x', '{}')`];
    for (const statement of late)
      expect(await withOldSnapshot('scheduler', 'repeatable read', async () => undefined, statement)).toBe(STATE);
  });

  test('gets no seal', async () => {
    await scene.past(`update ${schema}.data_centers set stage = 'done', cutover_at = '2098-10-30T22:00Z',
      cutover_local = '2098-10-30T22:00:00 UTC', cutover_set_at = now()`);
    const seal = `select ${schema}.seal_cutover('${dc()}')`;
    expect(await withOldSnapshot('scheduler', 'read committed', async () => undefined, seal)).toBe('done');
    expect(await withOldSnapshot('scheduler', 'repeatable read', async () => undefined, seal)).toBe(STATE);
  });

  test('of a cursor gets no seal of what is over', async () => {
    expect(
      await scene.logins.operator.attempt(`insert into ${schema}.cell_proposals (data_center, kind, number, digest)
        values ('${dc()}', 'override', 1, '${DIGEST}')`),
    ).toBe('done');
    expect(await scene.logins.approver.attempt(`update ${schema}.cell_proposals set state = 'approved'`)).toBe('done');
    const session = await scene.logins.both.connect();
    try {
      await session.query('begin');
      await session.query(`declare seals cursor for
        select ${schema}.seal_cell_proposal('${dc()}', 'override', 1, '${DIGEST}') is not null as made
        from generate_series(1, 9)`);
      const next = async (): Promise<unknown> => (await session.query('fetch seals')).rows;
      expect(await next()).toEqual([{ made: true }]);
      await rows(`alter role ${name()} nologin`);
      expect(await next()).toEqual([{ made: false }]);
    } finally {
      await session.end();
      await rows(`alter role ${name()} login`);
    }
  });
});

describe('an approval', () => {
  test.each([
    ['a transaction that outlives the right to approve', ['begin'], 'commit'],
    ['one that asks early', ['begin', 'set constraints all immediate'], 'select'],
  ])('of a person is used by no run in %s', async (_what, begin, end) => {
    const n = 900 + begin.length;
    const { operator, approver, scheduler } = scene.logins;
    expect(await operator.attempt(scene.register(n))).toBe('done');
    const approve = `insert into ${schema}.approvals (kind, plan_id, reason)
      values ('person', '${scene.planOf(n)}', 'seen')`;
    expect(await approver.attempt(approve)).toBe('done');
    await scene.past(`insert into ${schema}.runs (run_id, data_center, kind, card_hash, plan_id)
      values (${n}, '${dc()}', 'migrate', 'card', '${scene.planOf(n)}')`);
    const session = await scene.logins.scheduler.connect();
    const use = async (): Promise<void> => {
      for (const statement of begin) await session.query(statement);
      await session.query(`update ${schema}.approvals set used_at = now(), used_by_run = ${n}`);
      await rows(`alter role ${approver.name} nologin`);
      await session.query(end);
    };
    try {
      await expect(use()).rejects.toMatchObject({ code: '23001' });
    } finally {
      await session.end();
      await rows(`alter role ${approver.name} login`);
    }
    expect(await scheduler.read(`select used_at from ${schema}.approvals`)).toEqual([{ used_at: null }]);
  });
});

describe('a commit', () => {
  test.each([
    [
      'a trigger of a temporary table',
      `create temp table slow (n integer);
       create function pg_temp.wait() returns trigger language plpgsql as 'begin perform pg_sleep(0.1); return null; end';
       create constraint trigger wait after insert on slow deferrable initially deferred
         for each row execute function pg_temp.wait()`,
      'insert into slow values (1)',
    ],
    ['a cursor that outlives it', 'select', 'declare slow cursor with hold for select pg_sleep(0.1)'],
  ])('of a decision is not delayed by %s', async (_what, make, delay) => {
    expect(await scene.logins.operator.attempt(ask('required'))).toBe('done');
    expect(await scene.logins.approver.attempt(make, 'begin', APPLY, delay, 'commit')).toBe('23001');
    expect(await rows(`select state from ${schema}.policy_changes`)).toEqual([{ state: 'proposed' }]);
  });
});

describe('guard-rails', () => {
  let n = 800;
  /** A plan that lies inside its guard-rails, its approval by them, and a run of it. */
  const prepare = async (): Promise<{ readonly use: string; readonly start: string; readonly approve: string }> => {
    n += 1;
    const plan = scene.planOf(n);
    expect(await scene.logins.operator.attempt(scene.register(n, { passes: true }))).toBe('done');
    await scene.past(`update ${schema}.data_centers set requested_at = now(), requested_by = 'somebody',
        plan_id = '${plan}', plan = '{}' where id = '${dc()}';
      insert into ${schema}.runs (run_id, data_center, kind, card_hash, plan_id, epoch)
        values (${n}, '${dc()}', 'migrate', 'card', '${plan}', ${n});
      update ${schema}.rollout set epoch = ${n}`);
    return {
      approve: `insert into ${schema}.approvals (kind, plan_id, reason) values ('guard_rails', '${plan}', 'inside')`,
      use: `update ${schema}.approvals set used_at = now(), used_by_run = ${n} where plan_id = '${plan}'`,
      start: `update ${schema}.data_centers set stage = 'canary', run_id = ${n}, epoch = ${n}, quiet = false
        where id = '${dc()}'`,
    };
  };
  const requirePerson = async (): Promise<void> => {
    expect(await scene.logins.operator.attempt(ask('required'))).toBe('done');
    expect(await scene.logins.approver.attempt(APPLY)).toBe('done');
  };

  test.each([
    ['repeatable read', STATE],
    ['read committed', CHECKED],
  ])('of a policy that was replaced let no plan through at %s', async (level, refused) => {
    const { approve, use, start } = await prepare();
    expect(await withOldSnapshot('scheduler', level, requirePerson, approve, use, start, 'commit')).toBe(refused);
  });

  test('are replaced before a start or after it', async () => {
    const { approve, use, start } = await prepare();
    expect(await scene.logins.operator.attempt(ask('required'))).toBe('done');
    const session = await scene.logins.scheduler.connect();
    try {
      for (const statement of ['begin', approve, use, start]) await session.query(statement);
      expect(await scene.logins.approver.attempt(`set lock_timeout = '100ms'`, APPLY)).toBe(WAITED);
      await session.query('rollback');
    } finally {
      await session.end();
    }
    expect(await scene.logins.approver.attempt(APPLY)).toBe('done');
  });
});

describe('a row of the transaction itself', () => {
  test('is not committed, in a subtransaction either', async () => {
    const answers = await scene.logins.approver.read(
      'create temp table own_rows (n integer)',
      'begin',
      'insert into own_rows values (1)',
      'savepoint late',
      'insert into own_rows values (2)',
      'release savepoint late',
      `select n, ${schema}.is_committed(xmin) as committed from own_rows order by n`,
    );
    expect(answers).toEqual([
      { n: 1, committed: false },
      { n: 2, committed: false },
    ]);
  });

  test('is told apart from one that is older than half of all numbers', async () => {
    const [answer] = await scene.logins.approver.read(
      `select ${schema}.is_committed((pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 500)::text::xid) as so`,
    );
    expect(answer).toEqual({ so: true });
  });
});
