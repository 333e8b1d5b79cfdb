// What a fourth review with the documented logins found in control: a data center that was taken out, logins that are
// renamed, and an epoch that leaps again and again.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EPOCH_CEILING } from '../../migrations/epoch-ceiling.js';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';

const RESTRICTED = '23001';
const REMOVED = '55000';
const CHECKED = '23514';
const schema = 'credit_rollout_control';
const DIGEST = 'd'.repeat(64);
let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());
beforeEach(() =>
  scene.past(`delete from ${schema}.cell_proposals; delete from ${schema}.postponements;
    delete from ${schema}.policy_changes; delete from ${schema}.reconcile_requests;
    delete from ${schema}.approvals; delete from ${schema}.plans; delete from ${schema}.runs;
    update ${schema}.rollout set epoch = 5, leapt_at = null;
    update ${schema}.data_centers set stage = 'done', removed_at = null, removed_by = null, requested_at = null,
      requested_by = null, requested_login = null, plan_id = null, run_id = null, plan = null, epoch = 5,
      cutover_at = '2098-10-30T22:00Z', cutover_local = '2098-10-30T22:00:00 UTC', cutover_set_at = now()`),
);

const dc = (): string => scene.dataCenters[0];
const rows = (text: string): Promise<readonly Record<string, unknown>[]> => scene.fleet.control(text);
const propose = (number: number): string => `insert into ${schema}.cell_proposals (data_center, kind, number, digest)
  values ('${dc()}', 'override', ${number}, '${DIGEST}')`;
const APPROVE = `update ${schema}.cell_proposals set state = 'approved'`;

const under = async (work: (attempt: (text: string) => Promise<unknown>) => Promise<void>): Promise<void> => {
  const { both } = scene.logins;
  await rows(`alter role "${both.name}" rename to renamed_author`);
  try {
    await work((text) => rows(`set local session authorization renamed_author; ${text}`));
  } finally {
    await rows(`alter role renamed_author rename to "${both.name}"; alter role "${both.name}" password 'secret'`);
  }
};

describe('a data center that was taken out', () => {
  const remove = (): Promise<unknown> => rows(`select ${schema}.remove_data_center('${dc()}', false)`);
  const run = (n: number): string =>
    underItsEpoch(
      n,
      `insert into ${schema}.runs (run_id, data_center, kind, card_hash, epoch)
       values (${n}, '${dc()}', 'migrate', 'card', ${n})`,
    );

  test('gets no seal', async () => {
    const { operator, approver } = scene.logins;
    const seals = [
      ['operator', `select ${schema}.seal_cutover('${dc()}')`],
      ['scheduler', `select ${schema}.seal_retention('${dc()}')`],
      ['scheduler', `select ${schema}.seal_audit_head('${dc()}')`],
      ['approver', `select ${schema}.seal_cell_proposal('${dc()}', 'override', 1, '${DIGEST}')`],
    ] as const;
    expect(await operator.attempt(propose(1))).toBe('done');
    expect(await approver.attempt(APPROVE)).toBe('done');
    for (const [login, seal] of seals) expect(await scene.logins[login].attempt(seal)).toBe('done');
    await remove();
    for (const [login, seal] of seals) expect(await scene.logins[login].attempt(seal)).toBe(REMOVED);
  });

  test('gets nothing new, and nothing is decided for it', async () => {
    const { operator, approver, scheduler } = scene.logins;
    const postpone = `insert into ${schema}.postponements (data_center, to_at, to_local, reason)
      values ('${dc()}', '2098-12-01T00:00Z', 'then', 'later')`;
    const falls = `insert into ${schema}.reconcile_requests (data_center, reason, allow_falls)
      values ('${dc()}', 'x', true)`;
    for (const statement of [propose(1), postpone, falls]) expect(await operator.attempt(statement)).toBe('done');
    await remove();
    for (const decide of [
      APPROVE,
      `update ${schema}.postponements set state = 'applied'`,
      `update ${schema}.reconcile_requests set state = 'approved'`,
    ])
      expect(await approver.attempt(decide)).toBe(REMOVED);
    expect(await operator.attempt(`update ${schema}.postponements set state = 'withdrawn'`)).toBe('done');
    for (const statement of [propose(2), postpone, falls, scene.register(1)])
      expect(await operator.attempt(statement)).toMatch(/^(55000|23505)$/u);
    expect(await operator.attempt(propose(3))).toBe(REMOVED);
    expect(await scheduler.attempt(run(6))).toBe(REMOVED);
  });

  test('gets no run that began while it was taken out', async () => {
    const owner = await scene.logins.scheduler.connect();
    try {
      await owner.query('begin');
      await owner.query(run(6));
      const removed = rows(`set local lock_timeout = '100ms';
        select from ${schema}.data_centers where id = '${dc()}' for update`);
      await expect(removed).rejects.toMatchObject({ code: '55P03' });
    } finally {
      await owner.end();
    }
  });
});

describe('a login that was renamed', () => {
  test('does not approve again what another person approved of it', async () => {
    expect(await scene.logins.both.attempt(propose(1))).toBe('done');
    expect(await scene.logins.approver.attempt(APPROVE)).toBe('done');
    await under(async (attempt) => {
      await expect(attempt(APPROVE)).rejects.toMatchObject({ constraint: 'cell_proposals_two_people_check' });
    });
  });

  test('does not approve the plan of a rollout that it requested', async () => {
    const { both, scheduler } = scene.logins;
    const request = `update ${schema}.data_centers set requested_at = now(), request_reason = 'now',
      plan = '{"batchSize": 100, "lanes": 2, "cardHash": "x"}' where id = '${dc()}'`;
    const approve = (n: number): string =>
      `insert into ${schema}.approvals (kind, plan_id, reason) values ('person', '${scene.planOf(n)}', 'seen')`;
    expect(await both.attempt(request)).toBe('done');
    await under(async (attempt) => {
      const name = `update ${schema}.data_centers set plan_id = '${scene.planOf(1)}' where id = '${dc()}'`;
      expect(await scheduler.attempt(name, scene.register(1), scene.register(2))).toBe('done');
      await expect(attempt(approve(1))).rejects.toMatchObject({ constraint: 'approvals_two_people_check' });
      // registered as if nobody had asked for it: approved, and used by no run
      await attempt(approve(2));
      await scene.past(`update ${schema}.data_centers set run_id = 9 where id = '${dc()}'`);
      expect(
        await scheduler.attempt(
          underItsEpoch(
            9,
            `insert into ${schema}.runs (run_id, data_center, kind, card_hash, plan_id)
             values (9, '${dc()}', 'migrate', 'card', '${scene.planOf(2)}')`,
          ),
          `update ${schema}.approvals set used_at = now(), used_by_run = 9`,
        ),
      ).toBe(CHECKED);
    });
  });

  test('of a request that an earlier version recorded leaves a plan that nobody approves', async () => {
    await scene.past(`update ${schema}.data_centers set requested_at = now(), requested_by = 'gone',
      plan_id = '${scene.planOf(1)}', plan = '{}' where id = '${dc()}'`);
    expect(await scene.logins.scheduler.attempt(scene.register(1))).toBe('done');
    const approve = `insert into ${schema}.approvals (kind, plan_id, reason) values ('person', '${scene.planOf(1)}', 'x')`;
    expect(await scene.logins.approver.attempt(approve)).toBe(CHECKED);
  });
});

describe('a login that was made again', () => {
  const approve = (n: number): string =>
    `insert into ${schema}.approvals (kind, plan_id, reason) values ('person', '${scene.planOf(n)}', 'seen')`;
  const gone = (by: string): Promise<unknown> =>
    scene.past(`update ${schema}.data_centers set requested_by = '${by}', requested_login = 4000000000,
      requested_at = now(), plan_id = '${scene.planOf(2)}', plan = '{}' where id = '${dc()}'`);

  test('approves no plan of its own under a new name, whatever number it had before', async () => {
    const { both } = scene.logins;
    await gone(both.name);
    expect(await both.attempt(scene.register(1))).toBe('done');
    const number = `(select oid from pg_roles where rolname = '${both.name}')`;
    expect(await rows(`select author_login = ${number} as own from ${schema}.plans`)).toEqual([{ own: true }]);
    await under(async (attempt) => {
      await expect(attempt(approve(1))).rejects.toMatchObject({ constraint: 'approvals_two_people_check' });
    });
    expect(await scene.logins.approver.attempt(approve(1))).toBe('done');
  });

  test('leaves a plan that nobody approves, where a scheduler registers what the earlier one asked for', async () => {
    await gone(scene.logins.both.name);
    expect(await scene.logins.scheduler.attempt(scene.register(2))).toBe('done');
    expect(await rows(`select author_login::text as login from ${schema}.plans`)).toEqual([{ login: '0' }]);
    expect(await scene.logins.approver.attempt(approve(2))).toBe(CHECKED);
  });

  test('that is gone leaves its plan to nobody', async () => {
    expect(await scene.logins.operator.attempt(scene.register(1))).toBe('done');
    await scene.past(`update ${schema}.plans set author_login = 4000000000`);
    expect(await scene.logins.approver.attempt(approve(1))).toBe(CHECKED);
  });
});

describe('the epoch', () => {
  const leap = (by: number): string => `update ${schema}.rollout set epoch = epoch + ${by}`;

  test('leaps once an hour for an operator, in however many transactions', async () => {
    const { operator } = scene.logins;
    const again = `do $$ begin for n in 1..3 loop ${leap(1_000_000)}; commit; end loop; end $$`;
    expect(await operator.attempt(again)).toBe(RESTRICTED);
    expect(await rows(`select epoch::int from ${schema}.rollout`)).toEqual([{ epoch: 1_000_005 }]);
    expect(await operator.attempt(leap(1))).toBe('done');
    await scene.past(`update ${schema}.rollout set leapt_at = now() - interval '61 minutes'`);
    expect(await operator.attempt(leap(1_000_001))).toBe(RESTRICTED);
    expect(await operator.attempt(leap(1_000_000))).toBe('done');
  });

  test('follows a fence that was set ahead, for a scheduler', async () => {
    const { scheduler } = scene.logins;
    expect(await scheduler.attempt(leap(9_000_000_000_000_000))).toBe(RESTRICTED);
    // as far as a fencer can set it
    const set = 'update credit_rollout.fence set epoch';
    const cell = scene.fleet.cell(0);
    const [fence] = await cell.sql(`${set} = ${EPOCH_CEILING} returning epoch`);
    await expect(cell.sql(`${set} = epoch + 1000000000000`)).rejects.toMatchObject({ code: RESTRICTED });
    const take = `update ${schema}.rollout set epoch = greatest(epoch, ${fence?.epoch}) + 1`;
    expect(await scheduler.attempt(take)).toBe('done');
    // and the cell follows control
    await cell.sql(`${set} = ${fence?.epoch}::bigint + 2`);
    expect(await scheduler.attempt(leap(1))).toBe('done');
  });
});
