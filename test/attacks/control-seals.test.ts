// Kind 5. Control seals for a cell what two people agreed on, and nothing else: whoever may ask for a seal gets none of
// what was not approved.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlLogin, type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';

const LOGINS: readonly ControlLogin[] = ['operator', 'operator2', 'approver', 'viewer', 'scheduler', 'both'];
const DENIED = '42501';
let scene: ControlScene;
let number = 0;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());

const dc = (): string => scene.dataCenters[0];
const DIGEST = 'a'.repeat(64);
const past = (text: string): Promise<unknown> => scene.past(text);
const sealBy = async (login: ControlLogin, call: string): Promise<unknown> =>
  (await scene.logins[login].read(`select credit_rollout_control.${call} as seal`))[0]?.seal;
const propose = (n: number, kind = 'override'): string =>
  `insert into credit_rollout_control.cell_proposals (data_center, kind, number, digest)
   values ('${dc()}', '${kind}', ${n}, '${DIGEST}')`;
const approve = (n: number): string =>
  `update credit_rollout_control.cell_proposals set state = 'approved' where number = ${n}`;
const sealOf = (n: number): string => `seal_cell_proposal('${dc()}', 'override', ${n}, '${DIGEST}')`;

describe('a key', () => {
  test('is read, made, replaced or used for a text of one’s own by no login', async () => {
    for (const login of LOGINS)
      for (const statement of [
        'select * from credit_rollout_control.seal_keys',
        'copy credit_rollout_control.seal_keys to stdout',
        `insert into credit_rollout_control.seal_keys values ('x', '', '')`,
        'delete from credit_rollout_control.seal_keys',
        `select credit_rollout_control.make_seal_key('${dc()}')`,
        `select credit_rollout_control.seal('${dc()}', 'run', '{"run_id": 1}')`,
      ])
        expect(await scene.logins[login].attempt(statement)).toBe(DENIED);
  });

  test('is not in what a seal shows, and two data centers have two', async () => {
    const prints = await scene.fleet.control(
      'select count(distinct credit_rollout_control.seal_key_fingerprint(id))::int as n from credit_rollout_control.data_centers',
    );
    expect(prints).toEqual([{ n: 2 }]);
    await past(`update credit_rollout_control.data_centers set cutover_at = '2098-01-01', cutover_local = 'then',
      cutover_set_at = now(), stage = 'done' where id = '${dc()}'`);
    const text = JSON.stringify(await sealBy('scheduler', `seal_cutover('${dc()}')`));
    const [key] = await scene.fleet.control(
      `select encode(inner_pad, 'hex') as inner_pad, encode(outer_pad, 'hex') as outer_pad
       from credit_rollout_control.seal_keys where data_center = $1`,
      [dc()],
    );
    expect(text).toContain('"mac"');
    expect(text).not.toContain(String(key?.inner_pad).slice(0, 32));
    expect(text).not.toContain(String(key?.outer_pad).slice(0, 32));
  });
});

describe('a seal', () => {
  test.each([
    ['seal_run(1)', ['scheduler']],
    ['seal_maintenance(1)', ['scheduler']],
    ['seal_checks(1)', ['scheduler']],
    [`seal_cutover('x')`, ['scheduler', 'operator', 'operator2', 'approver', 'both']],
    ['seal_reversal(1)', ['approver', 'both']],
    [`seal_cell_proposal('x', 'override', 1, 'x')`, ['approver', 'both']],
  ])('%s is asked for by no other login', async (call, theirs) => {
    for (const login of LOGINS)
      expect([login, await scene.logins[login].attempt(`select credit_rollout_control.${call}`)]).toEqual([
        login,
        theirs.includes(login) ? 'done' : DENIED,
      ]);
  });

  test('of a run needs a used approval of exactly that run’s plan, and an open run', async () => {
    const plan = scene.planOf(40);
    expect(await scene.logins.operator.attempt(scene.register(40))).toBe('done');
    await past(`insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, plan_id, epoch)
      values (400, '${dc()}', 'migrate', 'card', '${plan}', 400);
      update credit_rollout_control.rollout set epoch = 400`);
    await past(`update credit_rollout_control.data_centers set run_id = 400, plan_id = '${plan}',
      stage = 'canary', plan = '{"cardHash": "another card", "checks": []}' where id = '${dc()}';
      update credit_rollout_control.policy set value = '[{"name": "wal", "limit": 5}]' where name = 'rollout.checks'`);
    const seal = () => sealBy('scheduler', 'seal_run(400)');
    expect(await seal()).toBeNull();
    expect(
      await scene.logins.approver.attempt(
        `insert into credit_rollout_control.approvals (plan_id, kind, reason) values ('${plan}', 'person', 'seen')`,
      ),
    ).toBe('done');
    expect(await seal()).toBeNull();
    expect(
      await scene.logins.scheduler.attempt(`update credit_rollout_control.approvals
        set used_at = now(), used_by_run = 400 where plan_id = '${plan}'`),
    ).toBe('done');
    expect(await seal()).toMatchObject({
      data_center: dc(),
      kind: 'run',
      run_id: 400,
      plan_id: 40,
      // of the plan that was approved, whatever the request says; checks are those of the policy in force
      card_hash: 'card',
      checks: [{ name: 'wal', limit: 5 }],
      author: scene.logins.operator.name,
      approver: scene.logins.approver.name,
    });
    await past(`update credit_rollout_control.data_centers set plan_id = '${scene.planOf(41)}' where id = '${dc()}'`);
    expect(await seal()).toBeNull();
    await past(`update credit_rollout_control.data_centers set plan_id = '${plan}' where id = '${dc()}';
      update credit_rollout_control.runs set state = 'done', ended_at = now() where run_id = 400`);
    expect(await seal()).toBeNull();
  });

  test('of a night has the limits of control, and accepts falls only as a person asked', async () => {
    await past(`update credit_rollout_control.rollout set epoch = 420;
      update credit_rollout_control.policy set value = '5' where name = 'reconcile.maxChanged';
      update credit_rollout_control.policy set value = '2' where name = 'reconcile.maxLapsed';
      update credit_rollout_control.policy set value = '[{"name": "wal", "limit": 9}]' where name = 'rollout.checks';
      insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, epoch)
        values (410, '${dc()}', 'reconcile', 'card', 410);
      insert into credit_rollout_control.reconcile_requests (data_center, requested_by, run_id)
        values ('${dc()}', 'alice', 410)`);
    const seal = () => sealBy('scheduler', 'seal_maintenance(410)');
    const checks = [{ name: 'wal', limit: 9 }];
    expect(await seal()).toMatchObject({ of: 'reconcile', max_changed: 5, max_lapsed: 2, allow_falls: false, checks });
    await past(`update credit_rollout_control.runs set state = 'done', ended_at = now() where run_id = 410`);
    expect(await seal()).toBeNull();
  });

  test('of a night needs what it is for: a request of this data center, or a night that is due', async () => {
    const [, other] = scene.dataCenters;
    await past(`insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, epoch)
        values (420, '${other}', 'reconcile', 'card', 420);
      insert into credit_rollout_control.reconcile_requests (data_center, requested_by, allow_falls, ended_at)
        values ('${dc()}', 'alice', true, now())`);
    expect(await sealBy('scheduler', 'seal_maintenance(420)')).toBeNull();
    for (const where of ['allow_falls', 'true'])
      expect(
        await scene.logins.scheduler.attempt(
          `update credit_rollout_control.reconcile_requests set run_id = 420 where ${where}`,
        ),
      ).toBe('23001');
    expect(await sealBy('scheduler', 'seal_maintenance(420)')).toBeNull();
    await past(`update credit_rollout_control.runs set state = 'done', ended_at = now() where run_id = 420`);
  });

  test('is not made of what a transaction did not commit', async () => {
    number += 1;
    const { operator, approver, scheduler } = scene.logins;
    expect(await operator.attempt(propose(number))).toBe('done');
    for (const begin of [['begin'], ['begin', 'savepoint s']]) {
      const rows = await approver.read(
        ...begin,
        approve(number),
        `select credit_rollout_control.${sealOf(number)} as seal`,
      );
      expect(rows).toEqual([{ seal: null }]);
    }
    expect(
      await operator.attempt(
        `update credit_rollout_control.cell_proposals set state = 'withdrawn' where number = ${number}`,
      ),
    ).toBe('done');
    await past(`update credit_rollout_control.data_centers set gate_latched_at = now() where id = '${dc()}'`);
    const [row] = await scheduler.read(
      'begin',
      underItsEpoch(
        430,
        `insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, epoch)
         values (430, '${dc()}', 'sweep', 'card', 430)`,
      ),
      'select credit_rollout_control.seal_maintenance(430) as seal',
    );
    expect(row?.seal).toBeNull();
  });

  test('of a run is not made outside of its stages, and a canary not before its instant', async () => {
    await past(`update credit_rollout_control.runs set state = 'open', ended_at = null where run_id = 400`);
    const seal = () => sealBy('scheduler', 'seal_run(400)');
    expect(await seal()).not.toBeNull();
    for (const stage of ['pending', 'failed', 'done', 'aborted']) {
      await past(`update credit_rollout_control.data_centers set stage = '${stage}' where id = '${dc()}'`);
      expect([stage, await seal()]).toEqual([stage, null]);
    }
    await past(`update credit_rollout_control.data_centers set stage = 'pending', not_before_at = '2098-01-01'
      where id = '${dc()}'`);
    expect(
      await scene.logins.scheduler.attempt(
        `update credit_rollout_control.data_centers set stage = 'canary' where id = '${dc()}'`,
      ),
    ).toBe('23001');
    await past(`update credit_rollout_control.data_centers set not_before_at = null where id = '${dc()}'`);
  });

  test('of a reversal needs its approval', async () => {
    await past(`insert into credit_rollout_control.reversals (data_center, to_at, to_local, reason, author, proposed_at,
        state) values ('${dc()}', '2098-05-05', 'then', 'x', 'alice', now(), 'proposed')`);
    const [row] = await scene.fleet.control('select max(reversal_id)::int as id from credit_rollout_control.reversals');
    expect(await sealBy('approver', `seal_reversal(${row?.id})`)).toBeNull();
  });

  test('of what was proposed in a cell needs a second person, and the newest approval', async () => {
    number += 1;
    const { both, operator, operator2, approver, scheduler, viewer } = scene.logins;
    expect(await both.attempt(propose(number))).toBe('done');
    expect(await sealBy('approver', sealOf(number))).toBeNull();
    expect(await both.attempt(approve(number))).toBe('23514');
    expect(await operator.attempt(approve(number))).toBe(DENIED);
    expect(await operator2.attempt(approve(number))).toBe(DENIED);
    for (const login of [scheduler, viewer]) expect(await login.attempt(approve(number))).toBe(DENIED);
    expect(await approver.attempt(approve(number))).toBe('done');
    expect(await sealBy('approver', sealOf(number))).toMatchObject({
      number,
      digest: DIGEST,
      author: both.name,
      approver: approver.name,
    });
    await past(
      `update credit_rollout_control.cell_proposals set decided_at = now() - interval '61 minutes' where number = ${number}`,
    );
    expect(await sealBy('approver', sealOf(number))).toBeNull();
  });
});

describe('a proposal in a cell', () => {
  test('has no author, approver or time that its writer chose', async () => {
    number += 1;
    for (const column of ['author', 'approver', 'proposed_at', 'decided_at', 'state'])
      for (const login of ['operator', 'both'] as const)
        expect(
          await scene.logins[login].attempt(`insert into credit_rollout_control.cell_proposals
            (data_center, kind, number, digest, ${column}) values ('${dc()}', 'override', ${number}, '${DIGEST}', null)`),
        ).toBe(DENIED);
  });

  test('is not changed after it was approved, and comes back to nobody', async () => {
    number += 1;
    const { operator, approver } = scene.logins;
    expect(await operator.attempt(propose(number))).toBe('done');
    expect(await operator.attempt(propose(number))).toBe('23505');
    // a number that somebody took in advance keeps nobody from it
    const other = propose(number).replace(DIGEST, 'c'.repeat(64));
    expect(await operator.attempt(other)).toBe('done');
    const ours = `number = ${number} and digest = '${DIGEST}'`;
    expect(
      await approver.attempt(`update credit_rollout_control.cell_proposals set state = 'approved' where ${ours}`),
    ).toBe('done');
    for (const state of ['proposed', 'withdrawn'])
      expect(
        await operator.attempt(`update credit_rollout_control.cell_proposals set state = '${state}' where ${ours}`),
      ).toBe('23001');
    for (const statement of [
      `update credit_rollout_control.cell_proposals set digest = '${'b'.repeat(64)}'`,
      'delete from credit_rollout_control.cell_proposals',
      'truncate credit_rollout_control.cell_proposals',
    ])
      for (const login of LOGINS) expect(await scene.logins[login].attempt(statement)).toBe(DENIED);
  });
});

describe('the instant of a cut-over', () => {
  test('was set when control says so, whatever a login sends', async () => {
    await past(`update credit_rollout_control.data_centers set cutover_set_at = '2026-01-01' where id = '${dc()}'`);
    for (const login of ['operator', 'approver', 'both'] as const)
      await scene.logins[login].attempt(
        `update credit_rollout_control.data_centers set cutover_set_at = '2099-01-01' where id = '${dc()}'`,
      );
    expect(
      await scene.fleet.control('select cutover_set_at from credit_rollout_control.data_centers where id = $1', [dc()]),
    ).toEqual([{ cutover_set_at: new Date('2026-01-01') }]);
  });
});
