// `doctor` on which cell it reaches and what its logins may do there: the wrong database, no init yet, missing or
// excessive privileges, and the query of the bake.
import { afterEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/engine/doctor/finding.js';
import { cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { explained } from '../../support/explained.js';
import { openTestCell } from '../../support/open-context.js';
import {
  checkCells,
  closeAll,
  closers,
  directory,
  makeCell,
  makeConfig,
  openAsLogin,
  problemsOf,
} from './doctor-scene.js';

afterEach(closeAll);

describe('checkCell', () => {
  test('rejects the cell of another data center', async () => {
    const [cell, other] = [await makeCell(), await makeCell()];
    const swapped = openTestCell(other.url, cell.dataCenter.id);
    closers.push(() => swapped.close());
    const found = await problemsOf(cell, { cells: directory(swapped) });
    expect(found).toMatchObject([{ check: 'right cell', code: 'wrong_cell', level: 'error' }]);
  });

  test('names a database that does not exist', async () => {
    const cell = await makeCell();
    const url = new URL(cell.url);
    url.pathname = '/no_such_database';
    const nowhere = openTestCell(url.href, cell.dataCenter.id);
    closers.push(() => nowhere.close());
    const found = await problemsOf(cell, { cells: directory(nowhere) });
    expect(found).toMatchObject([{ code: 'database_unreachable', found: expect.stringContaining('does not exist') }]);
  });

  test('asks for init before it, and checks at the source all the same', async () => {
    const cell = await makeCell({ init: 'left', key: 'index' });
    expect(await problemsOf(cell)).toMatchObject([
      { check: 'unique ids', level: 'warning' },
      { check: 'schema', level: 'error', code: 'not_initialised' },
    ]);
  });

  test('shows the GRANTs to a login that may not read the source nor act as our roles', async () => {
    const cell = await makeCell();
    const { login, cell: opened } = await openAsLogin(cell);
    await cell.sql(
      `grant usage on schema credit_rollout to ${login}; grant select on all tables in schema credit_rollout to ${login}`,
    );
    const found = await problemsOf(cell, { cells: directory(opened) });
    expect(found[0]).toMatchObject({
      check: 'readable',
      code: 'not_permitted',
      fix: `As its owner run: GRANT USAGE ON SCHEMA public TO ${login}; GRANT SELECT ON public.orgs TO ${login};`,
    });
    const roles = found.filter(({ check }) => check === 'roles');
    expect(roles).toHaveLength(7);
    expect(roles[0]).toMatchObject({
      code: 'roles_missing',
      fix: `As a superuser run: GRANT "${cellRoleName(cell.dataCenter.id, 'worker')}" TO ${login};`,
    });
  });

  test('finds row-level security that would hide rows, before init and after it', async () => {
    const cell = await makeCell({ init: 'left', orgs: [{}] });
    const { login, cell: opened } = await openAsLogin(cell);
    await cell.sql(`alter table public.orgs enable row level security; grant select on public.orgs to ${login}`);
    const rls = { check: 'row-level security', code: 'source_row_security', level: 'error' };
    expect(await problemsOf(cell, { cells: directory(opened) })).toMatchObject([rls, { check: 'schema' }]);
    await cell.sql('alter table public.orgs disable row level security');
    await cell.init();
    expect(await problemsOf(cell)).toEqual([]);
    // the views read as the owner of our schema, which policies apply to
    await cell.sql('alter table public.orgs enable row level security');
    expect((await problemsOf(cell))[0]).toMatchObject(rls);
    await expect(explained(cell.init())).rejects.toMatchObject({ code: 'source_row_security' });
  });

  test('finds privileges that a role of ours must not hold', async () => {
    const cell = await makeCell();
    const [worker, fencer, operator, meter] = (['worker', 'fencer', 'operator', 'meter'] as const).map((role) =>
      cellRoleName(cell.dataCenter.id, role),
    );
    await cell.sql(`grant update (paid) on public.orgs to "${worker}"; grant delete on credit_rollout.allotments to "${worker}";
      grant select on public.orgs to public`);
    const found = await problemsOf(cell);
    expect(found.every(({ check, level }) => check === 'grants' && level === 'error')).toBe(true);
    expect(found.map((one) => one.found)).toEqual([
      `${fencer} holds SELECT on public.orgs and must not`,
      `${meter} holds SELECT on public.orgs and must not`,
      `${operator} holds SELECT on public.orgs and must not`,
      `${worker} holds DELETE on credit_rollout.allotments and must not`,
      `${worker} holds UPDATE on public.orgs and must not`,
    ]);
  });

  test('reads every check as its role does, and names what that lacks', async () => {
    const cell = await makeCell();
    const ask = async (checks: string): Promise<readonly Finding[]> => {
      const config = makeConfig([cell], `rollout: { checks: ${checks} }\n`);
      return (await checkCells([cell], { config })).filter(({ check }) => check === 'checks');
    };
    const worker = cellRoleName(cell.dataCenter.id, 'worker');
    const says = (code: string, fix: string) => ({
      level: 'error',
      found: expect.stringContaining(code),
      fix: expect.stringContaining(fix),
    });
    expect(await ask('[{ name: lockWaits }, { name: batchTime }]')).toMatchObject([
      { level: 'ok', found: 'lockWaits 0, limit 4; batchTime 0 s, limit 1 s' },
    ]);
    expect(await ask('[{ name: probe }, { name: lag }, { name: archive }]')).toMatchObject([
      says('lag of rollout.checks cannot be read (42501)', `GRANT pg_read_all_stats TO ${worker};`),
      says('archive_off', 'archive_mode'),
    ]);
    const load = '[{ name: load, query: select value from public.load, limit: 5, holds: [write, bake] }]';
    await cell.sql(`create table public.load (value text); grant select on public.load to "${worker}"`);
    expect(await ask(load)).toMatchObject([
      says('not_a_number', 'number'),
      says('42501', cellRoleName(cell.dataCenter.id, 'reader')),
    ]);
    expect(await ask('[]')).toEqual([]);
  });

  test('runs the bake query before a rollout does, and names what its role lacks', async () => {
    const cell = await makeCell();
    const ask = async (query: string): Promise<readonly Finding[]> => {
      const config = makeConfig([cell], `rollout: { bakeQuery: "${query}" }\n`);
      return (await checkCells([cell], { config })).filter(({ check }) => check === 'bake query');
    };
    const reader = cellRoleName(cell.dataCenter.id, 'reader');
    const query = 'select bool_and(fine) from public.health';
    expect(await ask(query)).toMatchObject([
      { level: 'error', found: expect.stringContaining('42P01'), fix: expect.stringContaining(reader) },
    ]);
    await cell.sql('create table public.health (fine boolean)');
    expect(await ask(query)).toMatchObject([
      { level: 'error', found: expect.stringContaining('42501'), fix: expect.stringContaining(`TO ${reader};`) },
    ]);
    await cell.sql('grant select on public.health to public');
    expect(await ask(query)).toMatchObject([{ level: 'ok', found: expect.stringContaining('does not return true') }]);
    await cell.sql('insert into public.health values (true)');
    expect(await ask(query)).toMatchObject([
      { level: 'ok', found: expect.stringContaining('it returns true; rollout.checks') },
    ]);
    expect(await ask('delete from public.health')).toMatchObject([
      {
        level: 'error',
        fix: 'Correct it: one query that only reads, such as a SELECT, without a second statement.',
      },
    ]);
    expect(await ask('selekt 1')).toMatchObject([{ level: 'error', fix: expect.stringContaining('Correct') }]);
    expect(await cell.sql('select fine from public.health')).toEqual([{ fine: true }]);
  });
});
