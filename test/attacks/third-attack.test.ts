// What a third review with the documented logins found, each as it was done: numbers below zero, writes that outlive a
// freeze, and settings of a session that decide what the source gives.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SOURCE_FUNCTIONS } from '../../migrations/cell/source-functions.js';
import { readCell } from '../../src/engine/rollout/read-cell.js';
import { initCell } from '../../src/engine/setup/init-cell.js';
import { listDependents } from '../../src/stores/cell/setup/dependents.js';
import { runBakeQuery } from '../../src/stores/cell/setup/doctor-queries.js';
import { detachSource } from '../../src/stores/cell/setup/schema.js';
import { selectRows } from '../../src/stores/query.js';
import { applyAll, createTestCell, type TestCell } from '../support/cell.js';
import { type CellLogins, createCellLogins } from './cell-logins.js';
import { REFUSED } from './cell-scene.js';

let cell: TestCell;
let logins: CellLogins;
let runId: bigint;
beforeAll(async () => {
  cell = await createTestCell({ view: true, orgs: [{}, {}, {}] });
  ({ runId } = await applyAll(cell));
  logins = await createCellLogins(cell);
  await cell.sql(`update credit_rollout.runs set state = 'open', ended_at = null`);
  await cell.sql(`update credit_rollout.fence set state = 'open', failure = null`);
});
afterAll(async () => {
  await logins.drop();
  await cell.drop();
});

describe('a worker', () => {
  test('stores no number below zero, under which a floor would be nothing', async () => {
    const fall = `update credit_rollout.allotments set additional_credits = -5000000,
      total_credits = base_credits + variable_credits + grandfathered_credits - 5000000 where org_id = 2`;
    expect(await logins.worker.attempt(fall)).toBe(REFUSED.check);
    expect(await cell.sql('select from credit_rollout.allotments where paid and total_credits < floor')).toEqual([]);
  });

  test('has no setting that what reads the source for it would follow', async () => {
    const open = await cell.sql(
      `select p.proname from pg_proc p where p.pronamespace = 'credit_rollout'::regnamespace
         and p.proname = any ($1)
         and not coalesce(p.proconfig, '{}') @> '{TimeZone=UTC,"DateStyle=ISO, MDY",IntervalStyle=postgres}'`,
      [[...SOURCE_FUNCTIONS, 'check_floor_falls', 'check_written_numbers']],
    );
    expect(open).toEqual([]);
  });
});

const RETIRE = () => `select credit_rollout.retire_allotments(${runId}, '{2}')`;
const RESTORE = () => `select credit_rollout.restore_retired(${runId}, '{2}')`;

describe('a freeze', () => {
  test.each([
    ['retire_allotments', RETIRE],
    ['restore_retired', RESTORE],
    ['write_sign_ups', () => 'select credit_rollout.write_sign_ups()'],
  ])('is not undercut by %s with an older snapshot', async (_what, call) => {
    for (const level of ['repeatable read', 'serializable'])
      expect(
        await logins.worker.attempt(
          `begin isolation level ${level}`,
          'select state from credit_rollout.fence',
          call(),
          'commit',
        ),
      ).toBe(REFUSED.state);
  });

  test.each([
    ['retire_allotments', RETIRE],
    ['restore_retired', RESTORE],
  ])('waits for a transaction that called %s before it', async (_what, call) => {
    const client = await logins.worker.connect();
    try {
      await client.query('begin');
      await client.query(call());
      const taken = 'select pg_try_advisory_xact_lock(1129467724, 0) as free';
      expect(await cell.sql(taken)).toEqual([{ free: false }]);
      await client.query('commit');
      expect(await cell.sql(taken)).toEqual([{ free: true }]);
    } finally {
      await client.end();
    }
  });

  test('finds in the history when a row was written, and not when its transaction began', async () => {
    const client = await logins.worker.connect();
    await client.query('begin');
    const began = (await client.query('select now()::text as now')).rows[0]?.now;
    await client.query('update credit_rollout.allotments set computed_at = clock_timestamp() where org_id = 2');
    await client.query('commit');
    await client.end();
    expect(
      await cell.sql('select from credit_rollout.allotment_changes where org_id = 2 and changed_at > $1', [began]),
    ).toHaveLength(1);
  });
});

describe('what leaves the cell', () => {
  test('is a code, whatever a worker writes', async () => {
    const name = 'acme.example: 4711 agents';
    expect(
      await logins.worker.attempt(
        `insert into credit_rollout.workers (worker_id, trouble) values ('w', '${name}')`,
        `update credit_rollout.fence set failure = '${name}'`,
        `update credit_rollout.feed set failure = '${name}'`,
        `insert into credit_rollout.quarantine (run_id, org_id, reason, inputs) values (${runId}, 3, '${name}', '{}')`,
      ),
    ).toBe('done');
    expect(
      await cell.sql(`select w.trouble, f.failure, d.failure as feed, q.reason from credit_rollout.workers w,
        credit_rollout.fence f, credit_rollout.feed d, credit_rollout.quarantine q where q.org_id = 3`),
    ).toEqual([{ trouble: 'other', failure: 'other', feed: 'other', reason: 'other' }]);
    for (const code of ['verification_mismatch', '22P02', 'ECONNREFUSED']) {
      await logins.worker.read(`update credit_rollout.feed set failure = '${code}'`);
      expect(await cell.sql('select failure from credit_rollout.feed')).toEqual([{ failure: code }]);
    }
  });
});

describe('a bake query', () => {
  test.each([
    ['fine', 'select pg_advisory_lock(1129467724, 0) is not null'],
    ['that fails', 'select pg_advisory_lock(1129467724, 0) is not null and 1 / (select 0) = 1'],
  ])('%s leaves no lock and no setting to its session', async (_what, query) => {
    const asked = `select set_config('credit_rollout.cause', 'lapse', false) = 'lapse' and (${query})`;
    await cell.cell.inTransaction('reader', (tx) => runBakeQuery(tx, asked)).catch(() => undefined);
    expect(
      await cell.sql(`select from pg_locks l join pg_database d on d.oid = l.database
        where l.locktype = 'advisory' and d.datname = current_database()`),
    ).toEqual([]);
    const [left] = await cell.cell.inTransaction('reader', (tx) =>
      selectRows(tx, `select current_setting('credit_rollout.cause', true) as cause`),
    );
    expect(left).not.toEqual({ cause: 'lapse' });
  });
});

describe('a text that a scheduler reads', () => {
  const readTexts = async (): Promise<unknown> => {
    const reading = await readCell(() => cell.cell, { runId: null, adoption: null });
    return reading.kind === 'read' && [reading.fence.failure, reading.lastError];
  };

  test('is `other` outside the cell where it only looks like a code', async () => {
    await cell.sql('delete from credit_rollout.workers');
    const write = async (failure: string, trouble: string): Promise<string> =>
      logins.worker.attempt(
        `insert into credit_rollout.workers (worker_id, trouble) values ('w1', '${trouble}')
           on conflict (worker_id) do update set trouble = excluded.trouble, seen_at = clock_timestamp()`,
        'begin',
        'select pg_advisory_xact_lock(1129467724, 0)',
        `update credit_rollout.fence set state = 'closed', failure = '${failure}'`,
        'commit',
      );
    expect(await write('acme_example', 'acme')).toBe('done');
    expect(await readTexts()).toEqual(['other', 'other']);
    expect(await write('4711', 'ACME9')).toBe('done');
    expect(await readTexts()).toEqual(['other', 'other']);
    // what a worker does say
    expect(await write('allotments_promise_check', '53100')).toBe('done');
    expect(await readTexts()).toEqual(['allotments_promise_check', '53100']);
    expect(await write('plan_edited', 'source_not_populated')).toBe('done');
    expect(await readTexts()).toEqual(['plan_edited', 'source_not_populated']);
    expect(await write('batch_too_slow', 'ECONNREFUSED')).toBe('done');
    expect(await readTexts()).toEqual(['batch_too_slow', 'ECONNREFUSED']);
  });
});

test('a cell is not called control: its roles would be those of the control database', async () => {
  const dataCenter = { ...cell.dataCenter, id: 'control' };
  await expect(initCell(cell.cell, { dataCenter, card: cell.card, lapseGraceDays: 30 })).rejects.toMatchObject({
    code: 'invalid_config',
    message: expect.stringContaining('"control" is reserved'),
  });
});

describe('what a login makes on our views', () => {
  const detach = (): Promise<void> => cell.cell.asOwner(detachSource);
  const attach = (): Promise<unknown> =>
    initCell(cell.cell, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30 });
  const MADE = [
    'create temp view v as select * from credit_rollout.org_capacity',
    'create temp view over_v as select count(*) as n from v',
    'create temp table rows_of_v (one v)',
  ];

  test('in its own session keeps nobody from detaching, nor from an init that attaches again', async () => {
    const [meter, planner] = await Promise.all([logins.meter.connect(), logins.planner.connect()]);
    try {
      for (const statement of MADE) await meter.query(statement);
      await planner.query(
        `create temp view w as select * from credit_rollout.decided(null, null, null, '${cell.card.hash}')`,
      );
      expect(await cell.cell.asOwner(listDependents)).toEqual([]);
      await detach();
      await expect(meter.query('select * from v')).rejects.toMatchObject({ code: '42P01' });
      await attach();
      for (const statement of MADE.slice(0, 2)) await meter.query(statement);
      await cell.sql('update credit_rollout.cell set source_signature = null');
      expect(await attach()).toMatchObject({ attached: true });
    } finally {
      await Promise.all([meter.end(), planner.end()]);
    }
  });

  test('is named with its login and pid while a transaction of that session uses it', async () => {
    const meter = await logins.meter.connect();
    try {
      for (const statement of MADE) await meter.query(statement);
      const pid = (await meter.query('select pg_backend_pid() as pid')).rows[0]?.pid;
      await meter.query('begin');
      await meter.query('lock table rows_of_v');
      await expect(detach()).rejects.toMatchObject({
        code: 'views_in_use',
        message: expect.stringContaining(`(temporary; login ${logins.meter.name}, pid ${pid})`),
      });
    } finally {
      await meter.end();
    }
  });

  test('that lasts is named with its schema, and nothing is dropped', async () => {
    const meter = await logins.meter.connect();
    await cell.sql(`create view public.lasting as select * from credit_rollout.org_capacity;
      create view public.over_lasting as select * from public.lasting`);
    try {
      for (const statement of MADE) await meter.query(statement);
      await expect(detach()).rejects.toMatchObject({
        code: 'views_in_use',
        message: expect.stringMatching(
          /: view public\.lasting, view public\.over_lasting, .*view pg_temp_\d+\.v \(temporary; login \w+, pid \d+\)/u,
        ),
      });
      expect((await meter.query('select * from v')).rows).toHaveLength(3);
    } finally {
      await meter.end();
      await cell.sql('drop view public.lasting cascade');
    }
    expect(await cell.cell.asOwner(listDependents)).toEqual([]);
  });
});
