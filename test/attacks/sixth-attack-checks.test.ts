// A scheduler's login chose which checks hold the writes of a run: it took the brakes away, and had workers run a query
// of its own. They come with the seal of a run.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUILT_IN_CHECKS, type CheckSpec, listChecksOf } from '../../src/domain/checks/check.js';
import { REFUSED } from './cell-scene.js';
import { openSealScene, type SealedAction, type SealScene } from './seal-scene.js';

let scene: SealScene;
beforeAll(async () => {
  scene = await openSealScene();
});
afterAll(() => scene.drop());

const checksNow = (): Promise<readonly Record<string, unknown>[]> =>
  scene.cell.sql('select name, query, limit_value as limit from credit_rollout.checks order by name');

const byName = (specs: readonly CheckSpec[]): readonly object[] =>
  listChecksOf(specs, 'write')
    .map(({ name, query, limit }) => ({ name, query, limit }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));

const openWith = async (kind: SealedAction, own: object): Promise<string> =>
  scene.outcomeOf(kind, await scene.seal(kind, { ...scene.contentOf(kind), ...own }));

const SPECS: readonly CheckSpec[] = [
  ...Object.keys(BUILT_IN_CHECKS).map((name) => ({ name, ...(/sessions|wal/.test(name) && { limit: 2.5 }) })),
  { name: 'own', query: `select 'x' is null` },
  { name: 'slow', query: 'select 1', limit: 7, holds: ['bake', 'write'] },
  { name: 'start-only', query: 'select 1', holds: ['start'] },
];

test('no login of a cell writes which checks there are', async () => {
  await scene.cell.sql(`insert into credit_rollout.checks (name, limit_value) values ('probe', 2)`);
  for (const login of ['fencer', 'operator', 'worker'] as const)
    for (const sql of [
      `insert into credit_rollout.checks (name, limit_value, query) values ('mine', 100, 'select 42')`,
      'update credit_rollout.checks set limit_value = 9',
      'delete from credit_rollout.checks',
      `select credit_rollout.set_checks('[]')`,
      `select credit_rollout.set_checks_of('{}')`,
      `select credit_rollout.open_sealed_run('{}')`,
    ])
      expect([login, sql, await scene.logins[login].attempt(sql)]).toEqual([login, sql, REFUSED.permission]);
});

test('a run has those that control sealed, with the limits that the program has', async () => {
  expect(await openWith('run', { checks: SPECS })).toBe('done');
  expect(await checksNow()).toEqual(byName(SPECS));
  const others: readonly CheckSpec[] = [
    { name: 'lag', limit: 'P1DT2M1S' },
    { name: 'own', query: 'select 2', limit: 1 },
  ];
  await scene.cell.sql(`update credit_rollout.checks set value = 3 where name = 'own'`);
  // opened again, as after a failure
  expect(await openWith('run', { checks: others })).toBe('done');
  expect(await checksNow()).toEqual(byName(others));
  expect(await scene.cell.sql(`select value from credit_rollout.checks where name = 'own'`)).toEqual([{ value: 3 }]);
});

test('a night has its own, an earlier control leaves them as they are, and a run that is over brings none', async () => {
  const checks: readonly CheckSpec[] = [{ name: 'probe' }];
  expect(await openWith('maintenance', { checks })).toBe('done');
  expect(await checksNow()).toEqual(byName(checks));
  expect(await openWith('maintenance', {})).toBe('done');
  expect(await checksNow()).toEqual(byName(checks));
  await scene.cell.rewritePast(`update credit_rollout.runs set state = 'done', ended_at = now() where run_id = 901`);
  expect(await openWith('maintenance', { checks: [] })).toBe('seal_used');
  expect(await checksNow()).toEqual(byName(checks));
});

test('a sweep is not opened where no cut-over is to be swept', async () => {
  expect(await openWith('maintenance', { run_id: 902, of: 'sweep' })).toBe('seal_used');
});
