// Servers that refuse what the engine needs: they lack a function, as with some providers, or accept no writes for a
// while. `init` and `doctor` find it out, and where it happens later a hold says it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { byCommand } from '../../../src/domain/rollout/hold.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { initCell } from '../../../src/engine/setup/init-cell.js';
import type { TestCell } from '../../support/cell.js';
import { explained } from '../../support/explained.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { waitFor } from '../../support/wait.js';
import { checkCells, closeAll, makeCell, of, problemsOf } from '../doctor/doctor-scene.js';

afterEach(closeAll);

/** Puts a function that refuses in the place of the server's, in this database only. */
const refuse = ({ sql }: Pick<TestCell, 'sql'>, name: string, returns: string, sqlstate: string): Promise<unknown> =>
  sql(`begin; set local allow_system_table_mods = on; alter function pg_catalog.${name}() rename to was_there;
    create function pg_catalog.${name}() returns ${returns} language plpgsql as $$
      begin raise exception 'not here' using errcode = '${sqlstate}'; end $$; commit`);

/** Ends the sessions that began before. */
const setReadOnly = async ({ sql, database }: Pick<TestCell, 'sql' | 'database'>, on: boolean): Promise<void> => {
  await sql(
    `begin; set transaction read write; alter database ${database} set default_transaction_read_only = ${on}; commit`,
  );
  await sql(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`);
};

describe('a server that does not tell its timeline', () => {
  const refused = {
    code: 'server_unsupported',
    message: expect.stringContaining(
      'refuses pg_walfile_name(pg_current_wal_insert_lsn()) or pg_postmaster_start_time() (SQLSTATE 55000)',
    ),
  };

  test('is rejected by init before it makes anything', async () => {
    const cell = await makeCell({ init: 'left' });
    await refuse(cell, 'pg_current_wal_insert_lsn', 'pg_lsn', '55000');
    const init = initCell(cell.cell, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30 });
    await expect(explained(init)).rejects.toMatchObject(refused);
    expect(await cell.sql(`select to_regnamespace('credit_rollout') as made`)).toEqual([{ made: null }]);
  });

  test('is found by doctor where it began to later', async () => {
    const cell = await makeCell();
    await refuse(cell, 'pg_current_wal_insert_lsn', 'pg_lsn', '55000');
    expect(await problemsOf(cell)).toMatchObject([{ check: 'statements', code: 'server_unsupported' }]);
  });

  test.each(['55000', '0A000'])('is found by doctor where its system cannot be told apart (%s)', async (sqlstate) => {
    const cell = await makeCell({ init: 'left' });
    await refuse(cell, 'pg_control_system', 'table (system_identifier bigint)', sqlstate);
    const [found] = await problemsOf(cell);
    expect(found).toMatchObject({ code: 'server_unsupported', found: expect.stringContaining('pg_control_system()') });
  });
});

describe('while a rollout is under way', () => {
  let fleet: Fleet;
  beforeEach(async () => {
    fleet = await createFleet({ orgs: 50 });
    await fleet.apply(fleet.cell(0));
  });
  afterEach(() => fleet.drop());
  const holds = async () => (await readStatus(fleet.engine)).dataCenters[0]?.holds;
  /** A session that was ended fails once more, whenever its pool finds out. */
  const waitForHold = (code: string) =>
    waitFor(code, async () => (await holds().catch(() => undefined))?.some((hold) => hold.code === code) ?? false);

  test('a server that refuses is a hold of its own, and so is a cell that was made read-only', async () => {
    const cell = fleet.cell(0);
    await setReadOnly(cell, true);
    await tick(fleet.engine).catch(() => undefined);
    await waitForHold('read_only');
    expect(await holds()).toMatchObject([{ code: 'no_scheduler' }, { code: 'read_only', value: 'its cell' }]);
    await expect(explained(fleet.plan(cell))).rejects.toMatchObject({ code: 'read_only', exitCode: 1 });
    await expect(explained(fleet.plan(cell))).rejects.not.toMatchObject({ next: expect.stringContaining('GRANT') });
    const doctor = of(await checkCells([cell]), cell.dataCenter.id).filter(({ level }) => level === 'error');
    expect(doctor).toMatchObject([{ check: 'writable', code: 'read_only' }, {}]);
    await setReadOnly(cell, false);
    await refuse(cell, 'pg_current_wal_insert_lsn', 'pg_lsn', '55000');
    await tick(fleet.engine).catch(() => undefined);
    await waitForHold('server_unsupported');
    expect(await holds()).toMatchObject([
      { code: 'no_scheduler' },
      { code: 'server_unsupported', release: byCommand('doctor'), needsPerson: true },
    ]);
  });

  test('a control database that was made read-only is said, and no scheduler is blamed', async () => {
    const [row] = await fleet.control('select current_database() as database');
    await setReadOnly({ sql: fleet.control, database: String(row?.database) }, true);
    await waitForHold('read_only');
    expect(await holds()).toMatchObject([{ code: 'read_only', value: 'control' }]);
    await expect(explained(fleet.apply(fleet.cell(0)))).rejects.toMatchObject({ code: 'read_only' });
    const doctor = of(await checkCells(fleet.cells, { control: fleet.engine.control }), 'control');
    expect(doctor).toContainEqual(expect.objectContaining({ check: 'writable', code: 'read_only' }));
  });
});
