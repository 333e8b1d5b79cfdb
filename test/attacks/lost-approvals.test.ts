// Kind 3. What somebody approved who has left since is void when it would be used; and a reversal takes back only the
// cut-over that two people saw.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';
import { openSealScene, type SealScene } from './seal-scene.js';

const LEFT = '23001';
const APPROVER = 'credit_rollout_control_approver';

describe('an approval of a plan', () => {
  let scene: ControlScene;
  beforeAll(async () => {
    scene = await openControlScene();
  });
  afterAll(() => scene.drop());

  const dc = () => scene.dataCenters[0];
  const approve = (plan: string) =>
    `insert into credit_rollout_control.approvals (plan_id, kind, reason) values ('${plan}', 'person', 'seen')`;
  const use = (plan: string, run: number) => `update credit_rollout_control.approvals
    set used_at = now(), used_by_run = ${run} where plan_id = '${plan}' and voided_at is null`;
  const approverName = () => scene.logins.approver.name;

  test.each([
    [
      'the role is taken away',
      () => `revoke ${APPROVER} from ${approverName()}`,
      () => `grant ${APPROVER} to ${approverName()}`,
    ],
    [
      'may not log in any more',
      () => `alter role ${approverName()} nologin`,
      () => `alter role ${approverName()} login`,
    ],
    [
      'has a password that has run out',
      () => `alter role ${approverName()} valid until '2020-01-01'`,
      () => `alter role ${approverName()} valid until 'infinity'`,
    ],
  ])('of a login that %s is used by no run, and makes room for another one', async (_what, leave, comeBack) => {
    const n =
      600 +
      Math.trunc(Number((await scene.fleet.control('select count(*) as n from credit_rollout_control.plans'))[0]?.n));
    const plan = scene.planOf(n);
    expect(await scene.logins.operator.attempt(scene.register(n))).toBe('done');
    expect(await scene.logins.approver.attempt(approve(plan))).toBe('done');
    await scene.past(`update credit_rollout_control.data_centers set run_id = ${n} where id = '${dc()}'`);
    expect(
      await scene.logins.scheduler.attempt(
        underItsEpoch(
          n,
          `insert into credit_rollout_control.runs
           (run_id, data_center, kind, card_hash, plan_id) values (${n}, '${dc()}', 'migrate', 'card', '${plan}')`,
        ),
      ),
    ).toBe('done');
    await scene.fleet.control(leave());
    expect(await scene.logins.scheduler.attempt(use(plan, n))).toBe(LEFT);
    // somebody else looks at it again
    expect(await scene.logins.both.attempt(approve(plan))).toBe('done');
    expect(
      await scene.fleet.control(
        `select approver, void_reason from credit_rollout_control.approvals where plan_id = $1 order by approval_id`,
        [plan],
      ),
    ).toEqual([
      { approver: approverName(), void_reason: 'its approver may no longer approve' },
      { approver: scene.logins.both.name, void_reason: null },
    ]);
    expect(await scene.logins.scheduler.attempt(use(plan, n))).toBe('done');
    await scene.fleet.control(comeBack());
    await scene.fleet.control(`set session_replication_role = replica;
      update credit_rollout_control.runs set state = 'done', ended_at = now(); set session_replication_role = origin`);
  });

  test('of an override is sealed for no cell once its approver has left', async () => {
    const digest = 'a'.repeat(64);
    const insert = `insert into credit_rollout_control.cell_proposals (data_center, kind, number, digest)
      values ('${dc()}', 'override', 77, '${digest}')`;
    expect(await scene.logins.operator.attempt(insert)).toBe('done');
    expect(
      await scene.logins.approver.attempt(
        `update credit_rollout_control.cell_proposals set state = 'approved' where number = 77`,
      ),
    ).toBe('done');
    const seal = () =>
      scene.logins.both.read(
        `select credit_rollout_control.seal_cell_proposal('${dc()}', 'override', 77, '${digest}') is not null as made`,
      );
    expect(await seal()).toEqual([{ made: true }]);
    await scene.fleet.control(`revoke ${APPROVER} from ${approverName()}`);
    expect(await seal()).toEqual([{ made: false }]);
    // the tick that sees it
    expect(await scene.logins.scheduler.attempt('select credit_rollout_control.record_lost_approvals()')).toBe('done');
    await scene.fleet.control(`grant ${APPROVER} to ${approverName()}`);
    expect(await seal()).toEqual([{ made: false }]);
    // until somebody approves it again
    expect(
      await scene.logins.both.attempt(
        `update credit_rollout_control.cell_proposals set state = 'approved' where number = 77`,
      ),
    ).toBe('done');
    expect(await seal()).toEqual([{ made: true }]);
  });

  test('of falls counts no more in a night that has begun, once its approver was seen without the role', async () => {
    const { operator, approver, scheduler } = scene.logins;
    expect(
      await operator.attempt(`insert into credit_rollout_control.reconcile_requests (data_center, reason, allow_falls)
        values ('${dc()}', 'late', true)`),
    ).toBe('done');
    expect(await approver.attempt(`update credit_rollout_control.reconcile_requests set state = 'approved'`)).toBe(
      'done',
    );
    await scene.past(`insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash)
        values (590, '${dc()}', 'reconcile', 'card');
      update credit_rollout_control.reconcile_requests set run_id = 590`);
    const allowed = async () =>
      (await scheduler.read(`select credit_rollout_control.seal_maintenance(590) -> 'allow_falls' as falls`))[0]?.falls;
    expect(await allowed()).toBe(true);
    await scene.fleet.control(`revoke ${APPROVER} from ${approverName()}`);
    await scheduler.read('select credit_rollout_control.record_lost_approvals()');
    await scene.fleet.control(`grant ${APPROVER} to ${approverName()}`);
    expect(await allowed()).toBe(false);
    await scene.past(`update credit_rollout_control.runs set state = 'done', ended_at = now() where run_id = 590;
      update credit_rollout_control.reconcile_requests set ended_at = now()`);
  });

  // last: the login of the approver is made anew
  test.each([
    [
      'its role comes back',
      `revoke ${APPROVER} from`,
      () => `grant ${APPROVER} to ${scene.logins.approver.name}`,
      'its approver may no longer approve',
    ],
    [
      'a login of the same name is made',
      'drop role',
      () => `create role ${scene.logins.approver.name} login password 'secret' in role ${APPROVER}`,
      null,
    ],
  ])('stays lost when %s', async (_what, leave, comeBack, recorded) => {
    const n = 650 + (recorded === null ? 1 : 0);
    const plan = scene.planOf(n);
    const { approver, operator, scheduler } = scene.logins;
    expect(await operator.attempt(scene.register(n))).toBe('done');
    expect(await approver.attempt(approve(plan))).toBe('done');
    await scene.past(`update credit_rollout_control.data_centers set run_id = ${n} where id = '${dc()}'`);
    await scheduler.attempt(
      underItsEpoch(
        n,
        `insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, plan_id)
         values (${n}, '${dc()}', 'migrate', 'card', '${plan}')`,
      ),
    );
    await scene.fleet.control(`${leave} ${approverName()}`);
    // the tick that sees it; without one, another login is told apart all the same
    if (recorded !== null) await scheduler.attempt('select credit_rollout_control.record_lost_approvals()');
    await scene.fleet.control(comeBack());
    expect(await scheduler.attempt(use(plan, n))).toBe(recorded === null ? LEFT : 'done');
    expect(
      await scene.fleet.control(
        'select void_reason, used_at from credit_rollout_control.approvals where plan_id = $1',
        [plan],
      ),
    ).toEqual([{ void_reason: recorded, used_at: null }]);
    await scene.past(`update credit_rollout_control.approvals set voided_at = now(), void_reason = 'over'
      where voided_at is null and used_at is null`);
    await scene.past(`update credit_rollout_control.runs set state = 'done', ended_at = now()`);
  });
});

describe('the seal of a reversal', () => {
  let scene: SealScene;
  beforeAll(async () => {
    scene = await openSealScene();
  });
  afterAll(() => scene.drop());

  test('takes back the cut-over that it names, and no other', async () => {
    await scene.cell.rewritePast(`update credit_rollout.gate set configured_at = '2026-01-01T00:00:00Z',
      configured_local = 'then', armed_at = '2025-12-01', effective_at = '2026-01-01', latched_at = '2026-01-01'`);
    const reversal = (id: number, from: string) =>
      scene.seal('reversal', { ...scene.contentOf('reversal'), reversal_id: id, from });
    expect(await scene.outcomeOf('reversal', await reversal(50, '2025-06-01T00:00:00Z'))).toBe('seal_used');
    expect(await scene.cell.sql('select latched_at is not null as latched from credit_rollout.gate')).toEqual([
      { latched: true },
    ]);
    expect(await scene.outcomeOf('reversal', await reversal(51, '2026-01-01T00:00:00+00:00'))).toBe('done');
  });
});
