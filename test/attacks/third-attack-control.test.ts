// What a third review with the documented logins found in control, each as it was done: an instant shown and another
// meant, an approver who was dismissed in the middle, a login that was renamed, settings that stop every night.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ControlScene, INSIDE, openControlScene, underItsEpoch } from './control-scene.js';

const RESTRICTED = '23001';
const CHECKED = '23514';
const schema = 'credit_rollout_control';
let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());
beforeEach(() =>
  scene.past(`delete from ${schema}.postponements; delete from ${schema}.runs;
    update ${schema}.rollout set epoch = 5, leapt_at = null;
    update ${schema}.data_centers set stage = 'done', requested_at = null, run_id = null, plan = null, epoch = 5,
      cutover_at = '2098-10-30T22:00Z', cutover_local = '2098-10-30T22:00:00 UTC', cutover_set_at = now(),
      gate_latched_at = null, gate_effective_at = null`),
);

const dc = (): string => scene.dataCenters[0];
const set = (assignments: string): string => `update ${schema}.data_centers set ${assignments} where id = '${dc()}'`;
const postpone = (at: string, shown = 'one day later'): string =>
  `insert into ${schema}.postponements (data_center, to_at, to_local, reason)
   values ('${dc()}', '${at}', '${shown}', 'one day later')`;
const APPROVED = `update ${schema}.postponements set state = 'applied' where state = 'proposed'`;
const rows = (text: string): Promise<readonly Record<string, unknown>[]> => scene.fleet.control(text);

describe('a proposal', () => {
  test('shows the instant that it has, whatever its author writes', async () => {
    expect(await scene.logins.operator.attempt(postpone('2028-01-01T00:00Z', '2026-12-26T00:00:00 UTC'))).toBe('done');
    expect(await rows(`select to_local from ${schema}.postponements`)).toEqual([
      { to_local: '2028-01-01T00:00:00 UTC' },
    ]);
  });

  test.each(['infinity', '12000-01-01T00:00Z'])('has no instant that nobody can mean: %s', async (at) => {
    expect(await scene.logins.operator.attempt(postpone(at))).toBe(CHECKED);
  });

  test('is not approved by its author under another name', async () => {
    const { both } = scene.logins;
    expect(await both.attempt(postpone('2028-01-01T00:00Z'))).toBe('done');
    await rows(`alter role "${both.name}" rename to renamed_author; alter role renamed_author password 'secret'`);
    try {
      await expect(
        scene.fleet.control(`set local session authorization renamed_author; ${APPROVED}`),
      ).rejects.toMatchObject({
        constraint: 'postponements_two_people_check',
      });
    } finally {
      await rows(`alter role renamed_author rename to "${both.name}"; alter role "${both.name}" password 'secret'`);
    }
  });

  test('is not approved in a transaction that outlives the right to approve', async () => {
    const { operator, approver } = scene.logins;
    expect(await operator.attempt(postpone('2028-01-01T00:00Z'))).toBe('done');
    const session = await approver.connect();
    try {
      await session.query('begin');
      await session.query(APPROVED);
      await rows(`revoke credit_rollout_control_approver from "${approver.name}"`);
      await expect(session.query('commit')).rejects.toMatchObject({
        code: expect.stringMatching(/^(23001|42501)$/u),
      });
    } finally {
      await session.end();
      await rows(`grant credit_rollout_control_approver to "${approver.name}"`);
    }
    expect(await rows(`select state from ${schema}.postponements`)).toEqual([{ state: 'proposed' }]);
  });
});

describe('a decision', () => {
  const inTwoParts = async (first: readonly string[], between: string, after: string): Promise<unknown> => {
    const { operator, approver } = scene.logins;
    await scene.past(`delete from ${schema}.postponements`);
    expect(await operator.attempt(postpone('2028-01-01T00:00Z'))).toBe('done');
    const session = await approver.connect();
    try {
      for (const statement of first) await session.query(statement);
      await rows(between);
      return await session.query(after).then(
        () => 'done',
        ({ code }: { code: string }) => code,
      );
    } catch (error) {
      return (error as { code?: string }).code;
    } finally {
      await session.end();
      await rows(`grant credit_rollout_control_approver to "${approver.name}"; alter role "${approver.name}" login`);
      expect(await rows(`select state from ${schema}.postponements`)).toEqual([{ state: 'proposed' }]);
    }
  };

  test.each(['repeatable read', 'serializable'])('is not made by what was true before, at %s', async (level) => {
    const { name } = scene.logins.approver;
    const first = [`begin isolation level ${level}`, `select from ${schema}.rollout`];
    expect(await inTwoParts(first, `alter role "${name}" nologin`, `${APPROVED}; commit`)).toBe('55000');
  });

  test.each(['set constraints all immediate', `set constraints ${schema}.postponements_decider_stayed immediate`])(
    'is not checked before it is made: %s',
    async (early) => {
      const dismiss = `revoke credit_rollout_control_approver from "${scene.logins.approver.name}"`;
      expect(await inTwoParts(['begin', early, APPROVED], dismiss, 'commit')).toBe(RESTRICTED);
      expect(await inTwoParts(['begin', APPROVED, early], dismiss, 'commit')).toBe(RESTRICTED);
      expect(await inTwoParts(['begin', APPROVED], dismiss, `${early}; commit`)).toMatch(/^(23001|42501)$/u);
    },
  );

  test('cannot be prepared: its transaction notifies', async () => {
    const listener = await scene.logins.viewer.connect();
    try {
      const heard = new Promise((resolve) => listener.once('notification', ({ channel }) => resolve(channel)));
      await listener.query('listen credit_rollout_control');
      expect(await scene.logins.operator.attempt(postpone('2028-01-01T00:00Z'))).toBe('done');
      expect(await scene.logins.approver.attempt(APPROVED)).toBe('done');
      expect(await heard).toBe('credit_rollout_control');
    } finally {
      await listener.end();
    }
  });

  test('of control is written at read committed, whatever it is and whoever writes it', async () => {
    const writable = await rows(`select distinct on (c.relname, p.role) c.relname as name, p.role, a.attname as column
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      cross join unnest(array['operator', 'approver', 'scheduler']) p (role)
      where c.relnamespace = '${schema}'::regnamespace and c.relkind = 'r'
        and has_column_privilege('credit_rollout_control_' || p.role, c.oid, a.attnum, 'update')
      order by 1, 2, 3`);
    expect(writable.length).toBeGreaterThan(20);
    const open: unknown[] = [];
    for (const { name, role, column } of writable) {
      const login = scene.logins[role as 'operator' | 'approver' | 'scheduler'];
      const write = `update ${schema}.${name} set ${column} = ${column} where false`;
      if ((await login.attempt('begin isolation level repeatable read', write)) !== '55000') open.push([name, role]);
    }
    expect(open).toEqual([]);
  });

  test('that is not committed is none, however many numbers its transaction used', async () => {
    const own = (ahead: number): string => `select pg_current_xact_id(), ${schema}.is_committed((
      (pg_current_xact_id()::text::bigint + ${ahead}) % 4294967296)::text::xid) as committed`;
    for (const ahead of [0, 1, 1_500_000, 2_000_000_000])
      expect((await rows(own(ahead)))[0]).toMatchObject({ committed: false });
    expect(
      (
        await rows(`select pg_current_xact_id(), ${schema}.is_committed(r.xmin) as committed from ${schema}.rollout r`)
      )[0],
    ).toMatchObject({ committed: true });
  });

  test('again is not had by its author under another name', async () => {
    const { both, approver } = scene.logins;
    const approve = `update ${schema}.cell_proposals set state = 'approved' where number = 88`;
    expect(
      await both.attempt(`insert into ${schema}.cell_proposals (data_center, kind, number, digest)
        values ('${dc()}', 'override', 88, '${'b'.repeat(64)}')`),
    ).toBe('done');
    expect(await approver.attempt(approve)).toBe('done');
    await rows(`alter role "${both.name}" rename to renamed_author`);
    try {
      await expect(
        scene.fleet.control(`set local session authorization renamed_author; ${approve}`),
      ).rejects.toMatchObject({ constraint: 'cell_proposals_two_people_check' });
    } finally {
      await rows(`alter role renamed_author rename to "${both.name}"; alter role "${both.name}" password 'secret'`);
    }
  });

  test('of control keeps no text of a cell', async () => {
    await scene.past(set(`stage = 'verifying', run_id = null`));
    const { operator, scheduler } = scene.logins;
    expect(await scheduler.attempt(set(`failure = 'org 1 has 37 agents'`))).toBe('done');
    expect(await rows(`select failure from ${schema}.data_centers where id = '${dc()}'`)).toEqual([
      { failure: 'other' },
    ]);
    const counts = JSON.stringify({ ...INSIDE, 'org 1': '37 agents', traps: 2, first: 'jane' });
    expect(await operator.attempt(scene.register(3, { counts }))).toBe('done');
    const [plan] = await rows(`select counts from ${schema}.plans where plan_id = '${scene.planOf(3)}'`);
    expect(plan?.counts).toEqual({ ...INSIDE, traps: 2 });
    await scene.past(`delete from ${schema}.plans; ${set('failure = null')}`);
  });

  test('about a data center that was taken out is neither proposed nor sealed', async () => {
    await scene.past(set(`removed_at = now(), removed_by = 'x'`));
    try {
      expect(await scene.logins.operator.attempt(postpone('2028-01-01T00:00Z'))).toBe('55000');
      expect(await scene.logins.operator.attempt(`select ${schema}.seal_cutover('${dc()}')`)).toBe('55000');
      expect(
        await scene.logins.scheduler.attempt(
          underItsEpoch(
            9,
            `insert into ${schema}.runs (run_id, data_center, kind, card_hash) values (9, '${dc()}', 'migrate', 'card')`,
          ),
        ),
      ).toBe('55000');
    } finally {
      await scene.past(set('removed_at = null, removed_by = null'));
    }
  });
});

describe('an operator', () => {
  test.each([
    `{"batchSize": 1e400, "lanes": 2, "cardHash": "x"}`,
    `{"batchSize": 100, "lanes": {"a": 1}, "cardHash": "x"}`,
    `{"batchSize": 0, "lanes": 2, "cardHash": "x"}`,
    `{"batchSize": 100, "lanes": 99, "cardHash": "x"}`,
    `{"batchSize": 100, "lanes": 2}`,
    `{"batchSize": "100.5", "lanes": 2, "cardHash": "x"}`,
    '[1]',
  ])('requests nothing that no run can have: %s', async (plan) => {
    expect(await scene.logins.operator.attempt(set(`requested_at = now(), plan = '${plan}'`))).toMatch(/^2/u);
    expect(await rows(`select plan from ${schema}.data_centers where id = '${dc()}'`)).toEqual([{ plan: null }]);
  });

  test('does not change the reason that somebody gave', async () => {
    const plan = `'{"batchSize": 100, "lanes": 2, "cardHash": "x"}'`;
    const { operator, operator2 } = scene.logins;
    expect(await operator.attempt(set(`requested_at = now(), request_reason = 'mine', plan = ${plan}`))).toBe('done');
    expect(await operator2.attempt(set(`request_reason = 'yours'`))).toBe(RESTRICTED);
  });

  test('does not change when a run ended', async () => {
    await scene.past(`insert into ${schema}.runs (run_id, data_center, kind, state, card_hash, ended_at)
      values (4, '${dc()}', 'migrate', 'failed', 'card', now())`);
    for (const login of [scene.logins.operator, scene.logins.scheduler])
      for (const at of ["'2001-01-01'", "'infinity'"])
        expect(await login.attempt(`update ${schema}.runs set ended_at = ${at}`)).toBe(RESTRICTED);
    expect(await scene.logins.scheduler.attempt(`update ${schema}.runs set counts = '{"x": 1}'`)).toBe(RESTRICTED);
  });

  test('gets the epoch far ahead of no fence', async () => {
    const leap = `update ${schema}.rollout set epoch = epoch + 1000000`;
    expect(await scene.logins.operator.attempt('begin', leap, leap)).toBe(RESTRICTED);
    expect(await scene.logins.operator.attempt(`do $$ begin for n in 1..2 loop ${leap}; end loop; end $$`)).toBe(
      RESTRICTED,
    );
    expect(await scene.logins.operator.attempt(leap)).toBe('done');
    expect(await scene.logins.operator.attempt(leap)).toBe(RESTRICTED);
    for (const by of ['1', '2000000'])
      expect(await scene.logins.scheduler.attempt(`update ${schema}.rollout set epoch = epoch + ${by}`)).toBe('done');
  });
});

describe('the seal of a cut-over', () => {
  const sealed = async (login: 'operator' | 'scheduler', ...before: readonly string[]): Promise<unknown> =>
    (await scene.logins[login].read(...before, `select ${schema}.seal_cutover('${dc()}') as seal`))[0]?.seal;

  test('is for a data center that is done, and for minutes', async () => {
    expect(await sealed('scheduler')).toMatchObject({ kind: 'cutover' });
    const [valid] = await scene.logins.scheduler.read(
      `select (${schema}.seal_cutover('${dc()}') ->> 'expires_at')::timestamptz < now() + interval '5 minutes' as brief`,
    );
    expect(valid).toEqual({ brief: true });
    await scene.past(set(`stage = 'pending'`));
    expect(await sealed('operator')).toBeNull();
  });

  test('is of the instant that there is, also for a cursor that was opened before', async () => {
    const session = await scene.logins.operator.connect();
    try {
      await session.query(`begin; declare seals cursor for
        select ${schema}.seal_cutover('${dc()}') ->> 'local' as at from generate_series(1, 9)`);
      const next = async () => (await session.query('fetch 1 from seals')).rows[0]?.at;
      expect(await next()).toBe('2098-10-30T22:00:00 UTC');
      await scene.past(set(`cutover_at = '2099-01-01T00:00Z', cutover_local = 'moved'`));
      expect(await next()).toBe('moved');
    } finally {
      await session.end();
    }
    for (const level of ['repeatable read', 'serializable'])
      expect(
        await scene.logins.operator.attempt(
          `begin isolation level ${level}`,
          `select ${schema}.seal_cutover('${dc()}')`,
        ),
      ).toBe('55000');
  });

  test('is not made of a pin that is rolled back', async () => {
    await scene.past(
      `update ${schema}.rollout set pinned_at = null; ${set(`cutover_at = null, cutover_local = null`)}`,
    );
    const forged = sealed(
      'operator',
      'begin',
      `update ${schema}.rollout set pinned_at = now(), card_hash = 'card', card_name = 'card'`,
      set(`cutover_at = '2026-12-01T00:00Z', cutover_local = '2026-12-01T00:00:00 UTC'`),
    );
    expect(await forged.catch(() => null)).toBeNull();
  });
});
