// What a seventh review with the documented logins found in a cell: tables that one login locks, and a run that had
// ended and got new work.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginReadOnly, readCheckQuery } from '../../src/stores/cell/batch/built-in-checks.js';
import { selectRow } from '../../src/stores/query.js';
import { lockEveryTable } from './attacker.js';
import { type CellScene, openCellScene, REFUSED } from './cell-scene.js';

let scene: CellScene;
beforeAll(async () => {
  scene = await openCellScene();
});
afterAll(() => scene.drop());

test('no login locks a table of a cell against the others', async () => {
  for (const login of Object.values(scene.logins)) {
    if (typeof login !== 'object' || !('attempt' in login)) continue;
    expect(await login.attempt(lockEveryTable('credit_rollout')), login.name).toBe('done');
  }
});

test('a run that has ended gets no follow-up, and stays verified', async () => {
  const before = await scene.cell.sql('select * from credit_rollout.runs');
  const follow = `select credit_rollout.add_follow_up(${scene.runId})`;
  expect(await scene.logins.fencer.attempt(follow)).toBe(REFUSED.restriction);
  expect(await scene.cell.sql('select * from credit_rollout.runs')).toEqual(before);
});

test.each([
  ['a setting', `set_config('statement_timeout', '0', false)`],
  ['a role', `set_config('role', 'none', false)`],
  ['a search path', `set_config('search_path', 'public', false)`],
  ['an advisory lock of the session', 'pg_advisory_lock(1129467724, -1)'],
  ['an advisory lock of the transaction', 'pg_advisory_xact_lock(1129467724, -1)'],
  ['a channel', `public.leave('listen left_behind')`],
  ['a cursor', `public.leave('declare left_behind cursor with hold for select 1')`],
  ['a failure', `public.leave('select 1 / 0')`],
])('a query of a check or a bake leaves nothing behind in its session: %s', async (_what, call) => {
  await scene.cell.sql(`create or replace function public.leave(text) returns integer language plpgsql as $$
    begin execute $1; return 1; end $$; grant execute on function public.leave to public`);
  const state = `select current_user::text as role, current_setting('statement_timeout') as timeout,
    current_setting('search_path') as path, current_setting('transaction_read_only') as readonly,
    (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
    (select count(*)::int from pg_listening_channels()) as channels,
    (select count(*)::int from pg_cursors where name <> '') as cursors`;
  const [before, after] = await scene.cell.cell.inTransaction('reader', async (tx) => {
    await beginReadOnly(tx);
    const found = [await selectRow(tx, state)];
    await readCheckQuery(tx, `select ${call}`).catch(() => undefined);
    return [...found, await selectRow(tx, state)];
  });
  expect(before).toMatchObject({ readonly: 'on', locks: 0, channels: 0, cursors: 0 });
  expect(after).toEqual(before);
});
