// What one login keeps locked, takes in advance or dates itself, to the harm of others: a freeze waits for nobody, a
// card comes whole, and times are the database's.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makePlan } from '../../src/engine/plan/make-plan.js';
import { parsePlanName } from '../../src/engine/plan/plan-id.js';
import { freezeCell, readFreeze, unfreezeCell } from '../../src/stores/cell/batch/freezes.js';
import { asOperator } from '../../src/stores/cell/cell-database.js';
import { contextOf } from '../support/cell.js';
import { type CellScene, openCellScene, REFUSED } from './cell-scene.js';

let scene: CellScene;
beforeAll(async () => {
  scene = await openCellScene();
});
afterAll(() => scene.drop());

const FREEZE = `select credit_rollout.freeze_cell(null, 'stop')`;
const LIFT = `select credit_rollout.lift_freeze(null, 'go on')`;
const state = () => asOperator(scene.cell.cell);
const openFreezes = () =>
  scene.cell.sql('select reason from credit_rollout.freezes where lifted_at is null order by freeze_id');

/** A login does this and does not commit while `fn` runs; then it does. */
async function whileHeld(login: 'fencer' | 'operator', statements: readonly string[], fn: () => Promise<void>) {
  const client = await scene.logins[login].connect();
  try {
    await client.query('begin');
    for (const statement of statements) await client.query(statement);
    await fn();
    await client.query('commit');
  } finally {
    await client.end();
  }
}

describe('a freeze', () => {
  afterEach(() =>
    scene.cell.sql(`update credit_rollout.freezes set lifted_at = now(), lifted_by = 'x' where lifted_at is null`),
  );

  const freeze = () => state().inTransaction('state', (tx) => freezeCell(tx, { by: null, reason: 'incident' }));

  test('waits for no freeze that somebody began and does not commit', async () => {
    await whileHeld('fencer', [FREEZE], async () => {
      expect(await freeze()).toBe(true);
      expect(await openFreezes()).toEqual([{ reason: 'incident' }]);
    });
    expect(await openFreezes()).toEqual([{ reason: 'stop' }, { reason: 'incident' }]);
    expect(await state().inTransaction('state', (tx) => unfreezeCell(tx, { by: null, reason: null }))).toBe(true);
    expect(await openFreezes()).toEqual([]);
  });

  test.each(['fencer', 'operator'] as const)('waits for no lift of a %s, and outlives it', async (login) => {
    await scene.logins.operator.read(FREEZE);
    await whileHeld(login, [LIFT], async () => {
      expect(await freeze()).toBe(true);
    });
    expect(await openFreezes()).toEqual([{ reason: 'incident' }]);
    expect((await state().inTransaction('state', readFreeze))?.reason).toBe('incident');
  });

  test('is acknowledged though somebody keeps an older one locked', async () => {
    await scene.logins.operator.read(FREEZE);
    await whileHeld('fencer', [LIFT], async () => {
      await freeze();
      await scene.logins.operator.read('select credit_rollout.acknowledge_freeze()');
      expect((await state().inTransaction('state', readFreeze))?.acknowledgedAt).toBeInstanceOf(Date);
    });
  });

  test('is acknowledged by nobody while the fence is held', async () => {
    const worker = await scene.logins.worker.connect();
    await worker.query('begin; select pg_advisory_xact_lock_shared(1129467724, 0)');
    await scene.logins.operator.read(FREEZE);
    for (const login of ['fencer', 'operator'] as const)
      expect(await scene.logins[login].attempt('select credit_rollout.acknowledge_freeze()')).toBe(REFUSED.locked);
    await worker.end();
  });

  test.each([
    'select from credit_rollout.freezes for update',
    'select from credit_rollout.freezes for key share',
    `insert into credit_rollout.freezes (frozen_by, reason) values ('the ceo', 'x')`,
    `update credit_rollout.freezes set acknowledged_at = now()`,
    `update credit_rollout.freezes set lifted_at = '2020-01-01', lifted_by = 'the ceo'`,
  ])('has no row for its logins to keep: %s', async (statement) => {
    for (const login of ['fencer', 'operator', 'worker', 'override'] as const)
      expect(await scene.logins[login].attempt(statement)).toBe(REFUSED.permission);
  });

  test('has no table for them to lock', async () => {
    for (const login of ['fencer', 'operator', 'worker', 'override'] as const)
      expect(await scene.logins[login].attempt('begin', 'lock table credit_rollout.freezes in share mode')).toBe(
        REFUSED.permission,
      );
  });
});

describe('an old snapshot', () => {
  const inOldSnapshot = async (
    login: 'fencer' | 'planner' | 'worker',
    level: string,
    between: () => Promise<unknown>,
    late: () => string,
  ) => {
    const client = await scene.logins[login].connect();
    try {
      await client.query(`begin isolation level ${level}`);
      await client.query('select from credit_rollout.runs');
      await between();
      await client.query(late());
      await client.query('commit');
      return 'done';
    } catch (error) {
      return (error as { code?: string }).code;
    } finally {
      await client.end();
    }
  };

  test.each(['repeatable read', 'serializable'])(
    'opens no frozen cell, and verifies no batch of an ended run: %s',
    async (level) => {
      const freeze = `insert into credit_rollout.freezes (reason) values ('stop')`;
      const open = 'update credit_rollout.fence set single_writes = true';
      expect(
        await inOldSnapshot(
          'fencer',
          level,
          () => scene.cell.sql(freeze),
          () => open,
        ),
      ).toBe(REFUSED.state);
      await scene.cell.sql(
        `update credit_rollout.freezes set lifted_at = now(), lifted_by = 'x' where lifted_at is null`,
      );
      await scene.open();
      const end = `update credit_rollout.runs set state = 'aborted', ended_at = now()`;
      const verify = 'update credit_rollout.batches set verified_at = now(), checked = 20, mismatches = 0';
      expect(
        await inOldSnapshot(
          'worker',
          level,
          () => scene.cell.sql(end),
          () => verify,
        ),
      ).toBe(REFUSED.state);
      await scene.close();
    },
  );

  test('adds nothing to a plan that was finished since', async () => {
    const { cell, dataCenter, card } = scene.cell;
    let id = '';
    const make = async (): Promise<void> => {
      const made = await makePlan(contextOf(cell), {
        ...{ dataCenter: dataCenter.id, card, author: 'alice', rangeSize: 100, lanes: 1 },
        ...{ rails: { quarantinedShare: 1 }, save: 'new_plan' },
      });
      id = String(parsePlanName(made.planId ?? '')?.number);
    };
    const add = (): string => `select credit_rollout.plan_key_ranges(${id}, 50, '{null,null}', '${card.hash}',
      '{${[...card.editions.keys()].join(',')}}', '{1e9,1e9,1e9}')`;
    expect(await inOldSnapshot('planner', 'repeatable read', make, add)).toBe(REFUSED.restriction);
    expect(await scene.cell.sql('select from credit_rollout.plan_ranges where range_no = 50')).toEqual([]);
  });

  test('is refused by every table that decides, whoever writes it', async () => {
    const writable = await scene.cell.sql(`select distinct on (c.relname, p.role) c.relname as name, p.role,
        a.attname as column
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      cross join unnest(array['worker', 'fencer', 'operator', 'override']) p (role)
      where c.relnamespace = 'credit_rollout'::regnamespace and c.relkind = 'r' and a.attgenerated = ''
        and a.attidentity = '' and has_column_privilege('credit_rollout_${scene.cell.dataCenter.id}_' || p.role, c.oid,
          a.attnum, 'update')
      order by 1, 2, 3`);
    expect(writable.length).toBeGreaterThan(10);
    const open: string[] = [];
    for (const { name, role, column } of writable) {
      const write = `update credit_rollout.${name} set ${column} = ${column} where false`;
      const login = scene.logins[role as 'worker' | 'fencer' | 'operator' | 'override'];
      if ((await login.attempt('begin isolation level repeatable read', write)) !== REFUSED.state)
        open.push(`${name} by ${role}`);
    }
    // heartbeats, what is measured, when to write sign-ups next, and what is decided by no other row
    expect(open).toEqual([
      'checks by worker',
      'enforcement by override',
      'schedulers by fencer',
      'sign_up_writer by worker',
      'throttle by worker',
      'workers by worker',
    ]);
  });
});

describe('a table that the product’s statements need', () => {
  test.each([
    'allotments',
    'changed_orgs',
    'feed',
    'freezes',
    'gate',
    'sign_ups',
    'exceptions',
    'protected_orgs',
    'pending_sign_ups',
  ])('is locked by none of our logins: %s', async (table) => {
    for (const login of ['worker', 'planner', 'reader', 'fencer', 'operator', 'override', 'meter', 'product'] as const)
      expect(
        await scene.logins[login].attempt('begin', `lock table credit_rollout.${table} in share mode`),
        login,
      ).toBe(REFUSED.permission);
  });
});

describe('the canary of a run', () => {
  test('passes once it is verified, and not before its wait is over', async () => {
    const { fencer } = scene.logins;
    const pass = `update credit_rollout.runs set canary_passed_at = '2020-01-01' where run_id = ${scene.runId}`;
    await scene.cell.rewritePast(`update credit_rollout.runs set canary_passed_at = null;
      update credit_rollout.batches set verified_at = now() - interval '2 min', mismatches = 0 where kind = 'canary';
      insert into credit_rollout.batches (run_id, batch_no, kind, org_ids, expected, state)
        values (${scene.runId}, 900, 'canary', '{2}', 1, 'pending')`);
    expect(await fencer.attempt(pass)).toBe(REFUSED.restriction);
    await scene.cell.rewritePast(`update credit_rollout.batches set state = 'done', verified_at = now(), mismatches = 0,
      done_at = now(), epoch = 1 where batch_no = 900;
      insert into credit_rollout.used_seals (mac, document)
        values ('x', '{"kind": "run", "run_id": ${scene.runId}, "canary_wait_ms": 60000}')`);
    expect(await fencer.attempt(pass)).toBe(REFUSED.restriction);
    await scene.cell.rewritePast(`update credit_rollout.batches set verified_at = now() - interval '2 min'
      where batch_no = 900`);
    expect(await fencer.attempt(pass)).toBe('done');
    expect(await fencer.attempt(pass)).toBe(REFUSED.restriction);
    await scene.cell.rewritePast('delete from credit_rollout.batches where batch_no = 900');
  });
});

describe('a rate card', () => {
  const CARD = `select jsonb_build_object('hash', c.card_hash, 'name', c.name, 'unpaid', c.unpaid_edition,
      'light_agents_count_as_users', c.light_agents_count_as_users, 'costs', c.costs,
      'rates', (select jsonb_agg(to_jsonb(r)) from credit_rollout.rates r where r.card_hash = c.card_hash)) as card
    from credit_rollout.rate_cards c limit 1`;

  test.each(['fencer', 'operator'] as const)('is not begun by a %s that leaves its rates out', async (login) => {
    const attempt = (sql: string) => scene.logins[login].attempt(sql);
    expect(
      await attempt(`insert into credit_rollout.rate_cards (card_hash, name, light_agents_count_as_users,
        unpaid_edition) values ('0123456789abcdef', 'x', true, 'standard')`),
    ).toBe(REFUSED.permission);
    expect(await attempt('insert into credit_rollout.rates select * from credit_rollout.rates')).toBe(
      REFUSED.permission,
    );
    const [row] = await scene.cell.sql(CARD);
    const card = row?.card as Record<string, unknown>;
    for (const change of [{ light_agents_count_as_users: !card.light_agents_count_as_users }, { rates: [] }, {}]) {
      const squatted = JSON.stringify({ ...card, ...change, hash: '0123456789abcdef' });
      expect(await attempt(`select credit_rollout.add_rate_card('${squatted}')`)).toBe(REFUSED.check);
    }
    expect(await scene.cell.sql(`select from credit_rollout.rate_cards where card_hash = '0123456789abcdef'`)).toEqual(
      [],
    );
  });
});

describe('a finding', () => {
  const insert = (org: number) => `insert into credit_rollout.drift (run_id, org_id, cause, movement, outcome, found_at)
    values (${scene.runId}, ${org}, 'late input', 'raise', 'healed', '2020-01-01')`;

  test('has the time of the database, and belongs to the run that is open', async () => {
    const { worker } = scene.logins;
    expect(await worker.attempt(insert(3))).toBe(REFUSED.state);
    await scene.open();
    expect(await worker.attempt(insert(3))).toBe('done');
    expect(await worker.attempt(`update credit_rollout.drift set found_at = '2020-01-01' where org_id = 3`)).toBe(
      'done',
    );
    expect(await scene.cell.sql(`select from credit_rollout.drift where found_at < now() - interval '1 hour'`)).toEqual(
      [],
    );
    await scene.close();
    expect(await worker.attempt(`update credit_rollout.drift set outcome = 'proposed' where org_id = 3`)).toBe(
      REFUSED.state,
    );
  });
});
