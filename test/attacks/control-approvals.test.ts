// Kind 4. No statement of an operator or a scheduler starts a rollout that nobody else let through, or lets through its
// own; and no step is taken by a login whose step it is not.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';

const DENIED = '42501';
const RESTRICTED = '23001';
const CHECKED = '23514';
let scene: ControlScene;
let n = 100;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());
/** Each test has runs and plans of its own, newer than those before. */
beforeEach(async () => {
  n += 10;
  await past(`update credit_rollout_control.approvals set voided_at = now(), void_reason = 'the test is over'
    where used_at is null and voided_at is null`);
  await rest('done');
});

const past = (text: string): Promise<unknown> => scene.past(text);
/** Puts the first data center to rest in a stage, after run 7 of plan 7, whose approval is used. */
const rest = (stage: string): Promise<unknown> =>
  past(`delete from credit_rollout_control.runs;
    delete from credit_rollout_control.approvals where used_by_run = 7;
    insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, plan_id, state, ended_at)
      values (7, '${dc()}', 'migrate', 'card', '${scene.planOf(7)}', '${stage === 'failed' ? 'failed' : 'done'}', now());
    insert into credit_rollout_control.approvals (plan_id, digest, data_center, kind, author, approver, approved_at,
        expires_at, used_at, used_by_run)
      values ('${scene.planOf(7)}', 'x', '${dc()}', 'person', 'alice', 'bob', now(), now() + interval '1 hour', now(), 7);
    update credit_rollout_control.data_centers set stage = '${stage}', run_id = 7, plan_id = '${scene.planOf(7)}',
      requested_at = now(), failure = null where id = '${dc()}'`);
const dc = (): string => scene.dataCenters[0];
const move = (set: string, dataCenter = dc()): string =>
  `update credit_rollout_control.data_centers set ${set} where id = '${dataCenter}'`;
const approve = (plan: string, kind = 'person'): string =>
  `insert into credit_rollout_control.approvals (plan_id, kind, reason) values ('${plan}', '${kind}', 'seen')`;
const use = (plan: string, run: number, at = 'now()'): string =>
  `update credit_rollout_control.approvals set used_at = ${at}, used_by_run = ${run}
   where plan_id = '${plan}' and voided_at is null`;
const insertRun = (run: number, plan: string, dataCenter = dc()): string =>
  underItsEpoch(
    run,
    `insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, plan_id)
     values (${run}, '${dataCenter}', 'migrate', 'card', '${plan}')`,
  );
/** A plan of the operator's that the approver approved. */
async function approved(number: number, dataCenter = dc()): Promise<string> {
  const plan = scene.planOf(number, dataCenter);
  expect(await scene.logins.operator.attempt(scene.register(number, { dataCenter }))).toBe('done');
  expect(await scene.logins.approver.attempt(approve(plan))).toBe('done');
  return plan;
}
const canary = (run: number, plan: string): string => move(`stage = 'canary', run_id = ${run}, plan_id = '${plan}'`);

describe('a canary', () => {
  test.each(['pending', 'done', 'failed', 'aborted', 'undone'])(
    'does not start from %s without an approval, nor with the one that the last run used',
    async (stage) => {
      await rest(stage);
      const { scheduler, operator } = scene.logins;
      expect(await scheduler.attempt(canary(7, scene.planOf(7)))).toBe(RESTRICTED);
      expect(await scheduler.attempt(move(`stage = 'canary'`))).toBe(RESTRICTED);
      expect(await scheduler.attempt(insertRun(n, scene.planOf(7)), canary(n, scene.planOf(7)))).toBe(RESTRICTED);
      expect(await operator.attempt(move(`stage = 'canary'`))).not.toBe('done');
    },
  );

  test('starts with a used approval of exactly its plan and run, and only then', async () => {
    const { scheduler } = scene.logins;
    const plan = await approved(n);
    expect(await scheduler.attempt('begin', insertRun(n, plan), canary(n, plan))).toBe(RESTRICTED);
    expect(await scheduler.attempt('begin', insertRun(n, plan), use(plan, n), canary(n, plan), 'rollback')).toBe(
      'done',
    );
    expect(await scheduler.attempt('begin', insertRun(n, plan), use(plan, n + 1), canary(n, plan))).toBe(RESTRICTED);
  });

  test('does not start with an approval of another plan, or of another data center', async () => {
    const { scheduler } = scene.logins;
    const plan = await approved(n);
    const other = scene.planOf(n + 1);
    expect(await scene.logins.operator.attempt(scene.register(n + 1))).toBe('done');
    const begin = ['begin', insertRun(n, plan), use(plan, n)] as const;
    expect(await scheduler.attempt(...begin, canary(n, other))).toBe(RESTRICTED);
    const elsewhere = await approved(n, scene.dataCenters[1]);
    expect(await scheduler.attempt('begin', insertRun(n, elsewhere), use(elsewhere, n), canary(n, elsewhere))).toBe(
      RESTRICTED,
    );
  });

  test('does not start with the run of another data center or a night', async () => {
    const { scheduler } = scene.logins;
    const plan = await approved(n);
    const [, other] = scene.dataCenters;
    for (const run of [
      insertRun(n, plan, other),
      insertRun(n, plan).replace('migrate', 'reconcile'),
      insertRun(n, scene.planOf(7)),
      `select 1`,
    ])
      expect(await scheduler.attempt('begin', run, use(plan, n), canary(n, plan))).toBe(RESTRICTED);
  });

  test('does not start with an approval that expired, whenever the scheduler says it was used', async () => {
    const { scheduler } = scene.logins;
    const plan = await approved(n);
    await past(`update credit_rollout_control.approvals set approved_at = approved_at - interval '80 hours',
      expires_at = expires_at - interval '80 hours' where plan_id = '${plan}'`);
    for (const at of ['now()', `now() - interval '79 hours'`, `'-infinity'`])
      expect(await scheduler.attempt(use(plan, n, at))).toBe(CHECKED);
  });

  test('does not start with an approval that was voided, or was used before', async () => {
    const { scheduler, approver } = scene.logins;
    const plan = await approved(n);
    const again = use(plan, n + 1).replace(' and voided_at is null', '');
    const withdraw = `update credit_rollout_control.approvals set voided_at = now(), void_reason = 'no' where plan_id = '${plan}'`;
    expect(await approver.attempt(withdraw)).toBe('done');
    expect(await scheduler.attempt(again)).toBe(CHECKED);
    const unvoid = `update credit_rollout_control.approvals set voided_at = null, void_reason = null where plan_id = '${plan}'`;
    expect(await approver.attempt(unvoid)).toBe(RESTRICTED);
    const second = await approved(n + 1);
    expect(await scheduler.attempt(use(second, n + 1))).toBe('done');
    expect(await scheduler.attempt(use(second, n + 2))).toBe(RESTRICTED);
  });

  test('does not start because an operator puts the epoch back, so that an old run comes again', async () => {
    await past('update credit_rollout_control.rollout set epoch = 50');
    for (const login of [scene.logins.operator, scene.logins.scheduler])
      expect(await login.attempt('update credit_rollout_control.rollout set epoch = 6')).toBe(RESTRICTED);
  });
});

describe('a step', () => {
  test.each([
    ['canary', 'migrating'],
    ['canary', 'aborted'],
    ['migrating', 'verifying'],
    ['verifying', 'baking'],
    ['baking', 'done'],
    ['done', 'pending'],
    ['done', 'undoing'],
  ])('from %s to %s is not an operator’s', async (from, to) => {
    await rest(from);
    for (const login of [scene.logins.operator, scene.logins.both])
      expect(await login.attempt(move(`stage = '${to}'`))).toBe(DENIED);
  });

  test('that no transition allows is nobody’s', async () => {
    await rest('pending');
    for (const stage of ['migrating', 'verifying', 'baking', 'done', 'failed', 'aborted', 'undone'])
      expect(await scene.logins.scheduler.attempt(move(`stage = '${stage}'`))).toBe(RESTRICTED);
  });

  test('of a run that ended is not taken back, and an operator ends none', async () => {
    const { operator, scheduler } = scene.logins;
    const set = (state: string): string =>
      `update credit_rollout_control.runs set state = '${state}', ended_at = ${state === 'open' ? 'null' : 'now()'}
       where run_id = 7`;
    for (const login of [operator, scheduler]) expect(await login.attempt(set('open'))).toBe(RESTRICTED);
    await rest('failed');
    expect(await operator.attempt(set('open'))).toBe('done');
    expect(await operator.attempt(set('done'))).toBe(RESTRICTED);
  });
});

describe('an approval', () => {
  test('is not given by the author, whoever that author says the author is', async () => {
    const { both } = scene.logins;
    expect(await both.attempt(scene.register(n))).toBe('done');
    expect(await both.attempt(approve(scene.planOf(n)))).toBe(CHECKED);
    expect(
      await both.attempt(
        `select set_config('credit_rollout_control.person', 'a second person', false)`,
        approve(scene.planOf(n)),
      ),
    ).toBe(CHECKED);
  });

  test('of a person is not given by a second operator, a scheduler or a viewer', async () => {
    expect(await scene.logins.operator.attempt(scene.register(n))).toBe('done');
    for (const login of [scene.logins.operator2, scene.logins.scheduler, scene.logins.viewer])
      expect(await login.attempt(approve(scene.planOf(n)))).toBe(DENIED);
  });

  test('has no approver, author, digest or time that its giver chose', async () => {
    expect(await scene.logins.operator.attempt(scene.register(n))).toBe('done');
    for (const [column, value] of [
      ['approver', `'somebody'`],
      ['author', `'somebody'`],
      ['digest', `repeat('0', 64)`],
      ['data_center', `'${scene.dataCenters[1]}'`],
      ['expires_at', `'infinity'`],
      ['used_by_run', '7'],
    ])
      expect(
        await scene.logins.approver.attempt(
          `insert into credit_rollout_control.approvals (plan_id, kind, ${column})
           values ('${scene.planOf(n)}', 'person', ${value})`,
        ),
      ).toBe(DENIED);
  });

  test.each([
    ['a guard-rail that does not pass', '[{"rail": "a", "passes": false}]'],
    ['a text in place of a truth value', '[{"rail": "a", "passes": "true"}]'],
    ['a list of truth values', '[{"rail": "a", "passes": [true, false]}]'],
    ['one guard-rail inside the other', '[[{"rail": "a", "passes": true}, {"rail": "b", "passes": false}]]'],
    ['null', '[{"rail": "a", "passes": null}]'],
    ['a guard-rail without a result', '[{"rail": "a"}]'],
    ['an object in place of a list', '{"passes": true}'],
  ])('is not given by guard-rails to a plan with %s', async (_what, rails) => {
    const { operator } = scene.logins;
    const register = scene.register(n).replace(/'\[.*\]'/u, `'${rails}'`);
    const outcome = [await operator.attempt(register), await operator.attempt(approve(scene.planOf(n), 'guard_rails'))];
    expect(outcome).not.toContain('XX000');
    expect(outcome.at(-1)).not.toBe('done');
    expect(
      await scene.fleet.control('select from credit_rollout_control.approvals where plan_id = $1', [scene.planOf(n)]),
    ).toEqual([]);
  });

  test('is not given to a plan that is registered under the number of another data center', async () => {
    const [one, other] = scene.dataCenters;
    const sql = scene.register(n, { passes: true }).replace(`'${one}',`, `'${other}',`);
    // the seal is that of the first one
    expect(await scene.logins.operator.attempt(sql)).toBe('23001');
  });

  test('is never changed, deleted or taken back by any login', async () => {
    const plan = await approved(n);
    for (const set of [`approver = 'x'`, `expires_at = 'infinity'`, `plan_id = 'x'`, `kind = 'guard_rails'`])
      for (const login of Object.values(scene.logins))
        expect(
          await login.attempt(`update credit_rollout_control.approvals set ${set} where plan_id = '${plan}'`),
        ).toBe(DENIED);
    for (const login of Object.values(scene.logins)) {
      expect(await login.attempt('delete from credit_rollout_control.approvals')).toBe(DENIED);
      expect(await login.attempt('truncate credit_rollout_control.approvals')).toBe(DENIED);
    }
    expect(await scene.logins.operator.attempt(use(plan, n))).toBe(DENIED);
  });

  test('that is open keeps its plan, however old, from being purged and registered anew with other content', async () => {
    const plan = await approved(n);
    await past(`update credit_rollout_control.plans set registered_at = now() - interval '40 days'`);
    const { scheduler, operator } = scene.logins;
    expect(await scheduler.attempt(`select credit_rollout_control.purge_plans(30, '{}')`)).toBe('done');
    expect(await operator.attempt(scene.register(n).replace(String(n).padStart(64, '0'), '1'.repeat(64)))).toBe(
      '23505',
    );
    expect(
      await scene.fleet.control('select digest from credit_rollout_control.plans where plan_id = $1', [plan]),
    ).toEqual([{ digest: String(n).padStart(64, '0') }]);
  });

  test('of one’s own plan is not had by two sessions at once', async () => {
    const { both } = scene.logins;
    const session = await both.connect();
    await session.query('begin isolation level repeatable read');
    await session.query('select 1');
    expect(await both.attempt(scene.register(n))).toBe('done');
    await expect(session.query(approve(scene.planOf(n)))).rejects.toMatchObject({ code: '55000' });
    await session.end();
  });
});

describe.each(['postponements', 'reversals'] as const)('one of the %s', (table) => {
  const propose = (): string =>
    `insert into credit_rollout_control.${table} (data_center, to_at, to_local, reason)
     values ('${dc()}', now() + interval '9 days', 'then', 'because')`;
  const apply = (): string => `update credit_rollout_control.${table} set state = 'applied' where state = 'proposed'`;
  beforeEach(() =>
    past(`update credit_rollout_control.${table} set state = 'withdrawn' where state = 'proposed';
      update credit_rollout_control.data_centers
        set gate_latched_at = ${table === 'reversals' ? 'now()' : 'null'}, gate_effective_at = null`),
  );

  test('is not approved by who proposed it, nor by a second operator who is no approver', async () => {
    expect(await scene.logins.both.attempt(propose())).toBe('done');
    expect(await scene.logins.both.attempt(apply())).toBe(CHECKED);
    for (const login of [scene.logins.operator, scene.logins.operator2])
      expect(await login.attempt(apply())).toBe(DENIED);
    expect(await scene.logins.approver.attempt(apply())).toBe('done');
  });

  test('does not move a pinned cut-over before it is approved, or to another instant', async () => {
    await past(`update credit_rollout_control.data_centers set cutover_at = '2031-01-01' where id = '${dc()}'`);
    expect(await scene.logins.both.attempt(propose())).toBe('done');
    for (const to of [`now() + interval '9 days'`, `'2031-01-02'`, 'null'])
      for (const login of [scene.logins.both, scene.logins.operator, scene.logins.approver])
        expect(await login.attempt(move(`cutover_at = ${to}`))).toBe(RESTRICTED);
    expect(await scene.logins.scheduler.attempt(move(`cutover_at = null`))).toBe(DENIED);
    await past(`update credit_rollout_control.data_centers set cutover_at = null where id = '${dc()}'`);
  });
});
