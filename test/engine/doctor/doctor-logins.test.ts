// Who runs the processes, as the databases recorded it: a login with what its process needs, with more, and an owner's.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { checkCellLocks } from '../../../src/engine/doctor/check-locks.js';
import { createFindingRecorder } from '../../../src/engine/doctor/finding.js';
import { openPostgres } from '../../../src/platform/postgres.js';
import { saveCellSchedulerSeen } from '../../../src/stores/cell/batch/scheduler-logins.js';
import { saveWorkerSeen } from '../../../src/stores/cell/batch/workers.js';
import { type CellDatabase, cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { createControlDatabase } from '../../../src/stores/control/control-database.js';
import { controlRoleName } from '../../../src/stores/control/roles.js';
import { saveSchedulerSeen } from '../../../src/stores/control/schedulers.js';
import { execute } from '../../../src/stores/query.js';
import type { TestCell } from '../../support/cell.js';
import { openTestCell } from '../../support/open-context.js';
import { waitFor } from '../../support/wait.js';
import { checkCells, closeAll, closers, makeCell, makeConfig, makeControl } from './doctor-scene.js';

afterEach(closeAll);

async function makeLogin(sql: TestCell['sql'], url: string, roles: readonly string[], more = ''): Promise<string> {
  const name = `process_${randomBytes(4).toString('hex')}`;
  await sql(
    `create role ${name} login password 'secret' ${more} ${roles.length > 0 ? `in role ${roles.join(', ')}` : ''}`,
  );
  closers.push(() => sql(`drop role ${name}`));
  const own = new URL(url);
  own.username = name;
  own.password = 'secret';
  return own.href;
}

/** The cell as a login with these roles of it. */
async function openAs(
  cell: TestCell,
  roles: readonly ('worker' | 'planner' | 'fencer' | 'override' | 'reader' | 'meter')[],
): Promise<CellDatabase> {
  const names = roles.map((role) => `"${cellRoleName(cell.dataCenter.id, role)}"`);
  const opened = openTestCell(await makeLogin(cell.sql, cell.url, names), cell.dataCenter.id);
  closers.push(opened.close);
  return opened;
}

const report = (cell: CellDatabase): Promise<void> =>
  cell.inTransaction('worker', (tx) => saveWorkerSeen(tx, 'host:1', null));

const ofWorkers = async (cell: TestCell) =>
  (await checkCells([cell])).filter(({ subject, check }) => subject === cell.dataCenter.id && check === 'logins');

describe('the login of a worker', () => {
  test('with the roles that it needs is fine, and nobody where no worker runs', async () => {
    const cell = await makeCell();
    expect(await ofWorkers(cell)).toMatchObject([{ level: 'ok', found: 'no worker runs' }]);
    await report(await openAs(cell, ['worker', 'planner']));
    expect(await ofWorkers(cell)).toMatchObject([{ level: 'ok' }]);
  });

  test.each(['fencer', 'override'] as const)('with %s too is worth a warning that names both', async (role) => {
    const cell = await makeCell();
    await report(await openAs(cell, ['worker', 'planner', role]));
    expect(await ofWorkers(cell)).toMatchObject([
      {
        level: 'warning',
        found: expect.stringMatching(new RegExp(`^the login process_\\w+ of a worker also has: ${role}$`, 'u')),
      },
    ]);
  });

  test('with the role of the meter, which a worker that drains one needs, is fine', async () => {
    const cell = await makeCell();
    await report(await openAs(cell, ['worker', 'planner', 'meter']));
    expect(await ofWorkers(cell)).toMatchObject([{ level: 'ok' }]);
  });

  test('that is a superuser is an error beside other logins, and a warning where it is the only one', async () => {
    const cell = await makeCell();
    await report(cell.cell);
    expect(await ofWorkers(cell)).toMatchObject([
      { level: 'warning', found: expect.stringContaining('one login is for everything') },
    ]);
    const own = await openAs(cell, ['worker', 'planner']);
    await own.inTransaction('worker', (tx) => saveWorkerSeen(tx, 'host:2', null));
    expect(await ofWorkers(cell)).toMatchObject([
      {
        level: 'error',
        found: expect.stringContaining('(superuser)'),
        fix: expect.stringContaining('install-a-fleet'),
      },
    ]);
  });

  test('is what the database authenticated, whatever is sent', async () => {
    const cell = await makeCell();
    await cell.sql(`insert into credit_rollout.workers (worker_id, login, powers) values ('x', 'somebody', '{}')`);
    expect(await cell.sql('select login = session_user::text as own, powers from credit_rollout.workers')).toEqual([
      { own: true, powers: ['superuser'] },
    ]);
  });
});

describe('the login of a scheduler', () => {
  test.each([
    [['fencer'], 'ok', /^no worker runs$/u],
    [['fencer', 'reader'], 'ok', /^no worker runs$/u],
    [['fencer', 'planner'], 'warning', /of a scheduler also has: planner$/u],
    [['fencer', 'worker', 'override'], 'warning', /of a scheduler also has: override, worker$/u],
  ] as const)('in a cell with %j: %s', async (roles, level, found) => {
    const cell = await makeCell();
    const opened = await openAs(cell, roles);
    await opened.inTransaction('fencer', (tx) => saveCellSchedulerSeen(tx));
    // whatever it says of itself
    await opened.inTransaction('fencer', (tx) =>
      execute(
        tx,
        `insert into credit_rollout.schedulers (login) values (:login)
         on conflict (login) do update set seen_at = '2099-01-01'`,
        { login: 'x' },
      ),
    );
    expect(await ofWorkers(cell)).toMatchObject([{ level, found: expect.stringMatching(found) }]);
    expect(await cell.sql('select count(*)::int as n from credit_rollout.schedulers')).toEqual([{ n: 1 }]);
  });

  test.each([
    [['scheduler'], '', 'ok', 'has the roles that it needs'],
    [['scheduler', 'operator', 'approver'], '', 'warning', 'also has: approver, operator'],
    [['scheduler'], 'createrole', 'error', 'createrole'],
  ] as const)('%j %s: %s', async (roles, more, level, found) => {
    const cell = await makeCell({ init: 'left' });
    const config = makeConfig([cell]);
    const { control, url } = await makeControl(config);
    const sql: TestCell['sql'] = (text) => control.inTransaction(async (tx) => (await tx.raw(text)).rows);
    const own = await makeLogin(sql, url, roles.map(controlRoleName), more);
    const scheduler = createControlDatabase(openPostgres({ url: own, applicationName: 'test', max: 1 }));
    closers.push(scheduler.close);
    await scheduler.inTransaction((tx) => saveSchedulerSeen(tx, 'host:1'));
    const findings = (await checkCells([cell], { control, config })).filter(
      ({ subject, check }) => subject === 'control' && check === 'logins',
    );
    expect(findings).toMatchObject([{ subject: 'control', level, found: expect.stringContaining(found) }]);
  });
});

describe('passwords', () => {
  const ofPasswords = async (cell: TestCell, as: CellDatabase = cell.cell) =>
    (await checkCells([{ ...cell, cell: as }])).filter(
      ({ subject, check }) => subject === cell.dataCenter.id && check === 'passwords',
    );

  test('that are stored as MD5 are named to a superuser, and new ones to everybody', async () => {
    const cell = await makeCell();
    expect(await ofPasswords(cell)).toMatchObject([{ level: 'ok', found: expect.stringContaining('no login') }]);
    const worker = `"${cellRoleName(cell.dataCenter.id, 'worker')}"`;
    const sql: TestCell['sql'] = (text) =>
      cell.sql(`set password_encryption = 'md5'; ${text}; reset password_encryption`);
    const name = new URL(await makeLogin(sql, cell.url, [worker])).username;
    expect(await ofPasswords(cell)).toMatchObject([
      { level: 'warning', found: expect.stringContaining(`the login ${name} is stored as MD5`) },
    ]);
    const other = await openAs(cell, ['reader']);
    expect(await ofPasswords(cell, other)).toMatchObject([
      { level: 'ok', found: expect.stringContaining('superuser') },
    ]);
    await cell.sql(`alter database ${cell.database} set password_encryption = 'md5'`);
    const later = await openAs(cell, ['reader']);
    expect(await ofPasswords(cell, later)).toMatchObject([
      { level: 'warning', found: expect.stringContaining('from now on are stored as MD5') },
    ]);
  });
});

test('names a session that keeps a lock of ours in a cell', async () => {
  const cell = await makeCell();
  const recorder = createFindingRecorder({ subject: cell.dataCenter.id, title: 'Data center' }, 'locks');
  expect(await checkCellLocks({ cell: cell.cell }, recorder)).toMatchObject([{ level: 'ok' }]);
  const [keeper, waiter] = [new pg.Client(cell.url), new pg.Client(cell.url)];
  await Promise.all([keeper.connect(), waiter.connect()]);
  await keeper.query('begin; select pg_advisory_xact_lock(1129467724, 0)');
  const waits = waiter.query('select pg_advisory_xact_lock_shared(1129467724, 0)');
  const { rows } = await keeper.query('select pg_backend_pid() as pid');
  await waitFor('somebody has waited for it for a second', async () => {
    const [found] = await checkCellLocks({ cell: cell.cell }, recorder);
    return found?.level === 'warning' && found.found.startsWith(`session ${rows[0].pid} of `);
  });
  await keeper.query('rollback');
  await waits;
  await Promise.all([keeper.end(), waiter.end()]);
});
