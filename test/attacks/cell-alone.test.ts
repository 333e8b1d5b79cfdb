// Kind 5. What no login of a cell does alone: choose a run, a cut-over or its instant, add to a finished plan, approve
// an override, or write under another name.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSealScene, type SealScene } from './seal-scene.js';

let scene: SealScene;
beforeAll(async () => {
  scene = await openSealScene();
});
afterAll(() => scene.drop());

describe('no login', () => {
  // what the product reads in org_capacity, or asks in onboard_org
  const READ = ['allotments', 'cell', 'rates', 'gate', 'sign_ups', 'org_capacity'];

  test('locks what the product reads, so that it waits', async () => {
    const locked: string[] = [];
    for (const name of ['worker', 'planner', 'reader', 'fencer', 'operator', 'override', 'product'] as const)
      for (const table of READ)
        for (const mode of ['access exclusive', 'exclusive', 'share row exclusive', 'share', 'share update exclusive'])
          if (
            (await scene.logins[name].attempt('begin', `lock table credit_rollout.${table} in ${mode} mode nowait`)) !==
            '42501'
          )
            locked.push(`${name}: ${table} in ${mode} mode`);
    expect(locked).toEqual([]);
  });
});

describe('a fencer alone', () => {
  test.each([
    `insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes) values (99, 'migrate', 'x', 1, 1)`,
    `insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes, allow_falls)
       values (99, 'reconcile', 'x', 1, 1, true)`,
    'update credit_rollout.runs set plan_id = plan_id + 1',
    'update credit_rollout.runs set max_changed = null, max_lapsed = null, allow_falls = true',
    `update credit_rollout.runs set rails = '{}'`,
    `update credit_rollout.runs set kind = 'undo'`,
    'update credit_rollout.runs set card_hash = card_hash',
    `update credit_rollout.cell set active_card = 'x'`,
    `insert into credit_rollout.batches (run_id, batch_no, state) values (1, 77, 'uncut')`,
    'select credit_rollout.adopt_plan(1)',
    `update credit_rollout.gate set configured_at = now() + interval '1 day'`,
    `update credit_rollout.gate set configured_set_at = now()`,
    `insert into credit_rollout.reversals (reversal_id) values (1)`,
  ])('does not choose what a run or a cut-over is: %s', async (statement) => {
    expect(await scene.logins.fencer.attempt(statement)).toBe('42501');
  });

  test('does not arm the gate for an instant of its own', async () => {
    expect(
      await scene.logins.fencer.attempt(
        `update credit_rollout.gate set armed_at = now(), effective_at = now() + interval '1 second'`,
      ),
    ).toBe('23001');
  });

  test('does not bring back an instant that was moved since', async () => {
    const at = (setAt: string, instant: string) => scene.seal('cutover', { at: instant, local: 'then', set_at: setAt });
    const old = await at('2026-01-01T00:00:00Z', '2098-01-01T00:00:00Z');
    expect(await scene.outcomeOf('cutover', await at('2026-02-01T00:00:00Z', '2098-02-01T00:00:00Z'))).toBe('done');
    expect(await scene.outcomeOf('cutover', old)).toBe('seal_used');
    expect(await scene.cell.sql('select configured_at from credit_rollout.gate')).toEqual([
      { configured_at: new Date('2098-02-01') },
    ]);
  });

  test('opens one run for one approved plan, and none for a plan that was changed', async () => {
    const run = (change: object) => scene.seal('run', { ...scene.contentOf('run'), ...change });
    expect(await scene.outcomeOf('run', await run({ digest: '0'.repeat(64) }))).toBe('plan_edited');
    expect(await scene.outcomeOf('run', await run({ card_hash: 'another' }))).toBe('plan_edited');
    expect(await scene.outcomeOf('run', await run({}))).toBe('done');
    // a step may run twice; another run of the same plan is another approval
    expect(await scene.outcomeOf('run', await run({}))).toBe('done');
    // an older copy of control does not know of the abort
    const end = (state: string) =>
      scene.cell.sql(`update credit_rollout.runs set state = '${state}',
        ended_at = case when '${state}' <> 'open' then now() end where kind = 'migrate'`);
    await end('aborted');
    expect(await scene.outcomeOf('run', await run({}))).toBe('seal_used');
    await end('open');
    expect(await scene.outcomeOf('run', await run({ run_id: 950 }))).toBe('seal_used');
    const next = await scene.planAgain();
    expect(await scene.outcomeOf('run', await run({ plan_id: next.id, digest: next.digest }))).toBe('seal_used');
    await scene.cell.sql(`set session_replication_role = replica;
      insert into credit_rollout.plan_ranges select plan_id, range_no + 1, upper_id, null, 0, 0, 0, 0
      from credit_rollout.plan_ranges where plan_id = ${next.id}; set session_replication_role = origin`);
    expect(await scene.outcomeOf('run', await run({ run_id: 951, plan_id: next.id, digest: next.digest }))).toBe(
      'plan_edited',
    );
  });
});

describe('a run', () => {
  test('that has ended is opened by nobody without its seal, nor its batches written again', async () => {
    const { fencer, worker, operator } = scene.logins;
    await scene.cell.sql(`update credit_rollout.runs set state = 'done', ended_at = now() where state = 'open'`);
    for (const login of [fencer, worker, operator])
      expect(['23001', '42501']).toContain(
        await login.attempt(`update credit_rollout.runs set state = 'open', ended_at = null`),
      );
    for (const set of [
      `state = 'pending', done_at = null`,
      'total_credits = 7',
      `verified_at = '2026-01-01', mismatches = 0`,
      'checked = 20',
    ])
      for (const login of [fencer, worker, operator])
        expect(['23001', '42501']).toContain(await login.attempt(`update credit_rollout.batches set ${set}`));
    const again = `update credit_rollout.batches set verified_at = null, checked = null, mismatches = null,
      changed_since = null, appeared = null`;
    expect(await operator.attempt(again)).toBe('23001');
  });

  test('keeps its card, whatever a later seal of it says', async () => {
    await scene.cell.sql(`update credit_rollout.runs set state = 'failed', ended_at = now() where run_id = 900`);
    const document = await scene.seal('run', { ...scene.contentOf('run'), card_hash: 'another' });
    expect(await scene.outcomeOf('run', document)).toBe('plan_edited');
    expect(await scene.outcomeOf('run', await scene.seal('run'))).toBe('done');
    expect(await scene.cell.sql('select state from credit_rollout.runs where run_id = 900')).toEqual([
      { state: 'open' },
    ]);
    await scene.cell.sql(`update credit_rollout.runs set state = 'done', ended_at = now() where run_id = 900`);
  });

  test('is not locked out by an epoch that leaps', async () => {
    expect(await scene.logins.fencer.attempt('update credit_rollout.fence set epoch = 9223372036854775807')).toBe(
      '23001',
    );
  });
});

describe('who may override alone', () => {
  const propose = (
    floor: string,
    author = 'alice',
  ) => `insert into credit_rollout.overrides (org_id, floor, reason, author)
    values (2, ${floor}, 'a contract', '${author}') returning override_id`;
  const withdrawAll = () =>
    scene.cell.sql(
      `update credit_rollout.overrides set state = 'withdrawn', decided_at = now() where state = 'proposed'`,
    );

  test.each([
    `update credit_rollout.overrides set state = 'applied', approver = 'bob', decided_at = now(), before = '{}', after = '{}'`,
    `update credit_rollout.overrides set before = '{}'`,
    `update credit_rollout.overrides set approver = 'bob'`,
    'update credit_rollout.overrides set floor = 5',
    `insert into credit_rollout.overrides (org_id, floor, reason, author, approver) values (2, 1, 'x', 'a', 'b')`,
    `insert into credit_rollout.overrides (org_id, floor, reason, author, nonce) values (2, 1, 'x', 'a', '1')`,
    `insert into credit_rollout.overrides (org_id, floor, reason, author, login) values (2, 1, 'x', 'a', 'ceo')`,
    `insert into credit_rollout.protected_orgs (org_id, protected_by, login) values (2, 'ceo', 'ceo')`,
  ])('does not approve an override: %s', async (statement) => {
    expect(await scene.logins.override.attempt(statement)).toBe('42501');
  });

  test('marks none as applied, and completes or writes none that was not begun', async () => {
    const { override } = scene.logins;
    await override.read(propose('1000'));
    expect(await override.attempt(`update credit_rollout.overrides set state = 'applied', decided_at = now()`)).toMatch(
      /^23/,
    );
    const open = `from credit_rollout.overrides where state = 'proposed'`;
    const [row] = await override.read(`select credit_rollout.complete_override(override_id) as done ${open}`);
    expect(row?.done).toBe(false);
    expect(await override.attempt(`select credit_rollout.write_override(override_id, '{}') ${open}`)).toBe('23001');
    await withdrawAll();
  });

  test.each([
    'update credit_rollout.allotments set computed_at = now()',
    'insert into credit_rollout.allotments select * from credit_rollout.allotments',
    'select from credit_rollout.allotments for update',
    'delete from credit_rollout.allotments',
    'update credit_rollout.batches set verified_at = null',
    `update credit_rollout.fence set state = 'closed'`,
    `insert into credit_rollout.freezes (reason) values ('x')`,
    'select from credit_rollout.plan_groups',
    'select from credit_rollout.allotment_changes',
    `insert into credit_rollout.quarantine (run_id, org_id, reason) values (1, 2, 'x')`,
    `insert into credit_rollout.workers (worker_id) values ('x')`,
  ])('does nothing else of a worker, in an open run either: %s', async (statement) => {
    const { override } = scene.logins;
    expect(await override.attempt(statement)).toBe('42501');
    await scene.open();
    expect(await override.attempt(statement)).toBe('42501');
    await scene.close();
  });

  /** A proposal, its seal, and the steps that apply it. */
  const begun = async (floor: string) => {
    const { override } = scene.logins;
    const [row] = await override.read(propose(floor));
    const number = Number(row?.override_id);
    const [known] = await override.read(`select credit_rollout.digest_override(${number}) as digest`);
    const document = (author = 'alice') =>
      scene.seal('override', { number, digest: known?.digest, author, approver: 'bob' });
    return {
      document,
      begin: `select credit_rollout.begin_override('${await document()}')`,
      complete: `select credit_rollout.complete_override(${number})`,
      write: (terms: string) => `select credit_rollout.write_override(${number}, (
        select to_jsonb(d) || '${terms}' from credit_rollout.decided(null, null, array[2], null) d))`,
    };
  };

  test('applies the one that was approved, with its floor, once', async () => {
    const { override } = scene.logins;
    const { document, begin, complete, write } = await begun('70000');
    for (const wrong of [69_999, 1, 900_000_000])
      expect(await override.attempt('begin', begin, write(`{"floor": ${wrong}}`), complete, 'commit')).toMatch(/^23/);
    const sealed = await document();
    await withdrawAll();
    expect(await scene.outcomeOf('override', sealed)).toBe('seal_wrong');
    // the same numbers again are another override
    const [second] = await override.read(propose('70000'));
    const again = JSON.stringify({ ...JSON.parse(sealed), number: Number(second?.override_id) });
    expect(await scene.outcomeOf('override', again)).toBe('seal_wrong');
    await withdrawAll();
  });

  test('begins no override that it does not complete, and writes no other row with it', async () => {
    const { override } = scene.logins;
    const { document, begin, complete, write } = await begun('70000');
    const sealed = `select credit_rollout.begin_override('${await document('the ceo')}')`;
    expect(await override.attempt(sealed)).toBe('23001');
    expect(await override.attempt('begin', begin, 'commit')).toBe('23001');
    expect(await override.attempt('begin', begin, complete, 'commit')).toBe('23001');
    const others = () => scene.cell.sql('select * from credit_rollout.allotments order by org_id');
    const before = await others();
    for (const terms of [
      '{"floor": 70000, "org_id": 3}',
      '{"floor": 70000, "grandfathered_credits": 900000000000000}',
      '{"floor": 70000, "agents": 1}',
    ])
      expect(await override.attempt('begin', begin, write(terms), complete, 'commit')).toMatch(/^23/);
    expect(await override.attempt('begin', begin, 'update credit_rollout.allotments set version = 9')).toBe('42501');
    expect(await others()).toEqual(before);
    await withdrawAll();
  });

  test('applies none while a run is open, nor in a cell that is frozen', async () => {
    const { override } = scene.logins;
    const { begin, document } = await begun('70000');
    await scene.open();
    expect(await scene.outcomeOf('override', await document())).toBe('overrides_need_rest');
    await scene.close();
    await scene.logins.fencer.read(`select credit_rollout.freeze_cell(null, 'stop')`);
    expect(await scene.outcomeOf('override', await document())).toBe('overrides_need_rest');
    await scene.logins.fencer.read(`select credit_rollout.lift_freeze('me', null)`);
    for (const level of ['repeatable read', 'serializable'])
      expect(await override.attempt(`begin isolation level ${level}`, begin)).toBe('55000');
    await withdrawAll();
  });

  test('leaves its login with what it writes, whoever it says it is', async () => {
    const { override, fencer } = scene.logins;
    await override.read(propose('2000', 'the ceo'));
    await fencer.read(`select credit_rollout.freeze_cell('the ceo', 'x')`);
    await fencer.read(`select credit_rollout.lift_freeze('the ceo', null)`);
    await override.read(`insert into credit_rollout.protected_orgs (org_id, protected_by) values (2, 'the ceo')`);
    expect(
      await scene.cell.sql(
        `select o.login as one, f.login as two, f.lift_login as three, p.login as four
        from credit_rollout.overrides o, credit_rollout.freezes f, credit_rollout.protected_orgs p
        where o.state = 'proposed' and f.frozen_by = $1 and f.lifted_by = $1`,
        [`the ceo (login ${fencer.name})`],
      ),
    ).toEqual([{ one: override.name, two: fencer.name, three: fencer.name, four: override.name }]);
    await withdrawAll();
  });
});
