// One INSERT of a worker's login fixed the number of an org for ever: with a version at which each later change failed,
// dated back and by no run.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { INSERTED_COLUMNS, insertedFrom } from '../../src/stores/cell/batch/credit-terms.js';
import { type CellScene, openCellScene, REFUSED } from './cell-scene.js';

let scene: CellScene;
beforeAll(async () => {
  scene = await openCellScene();
  await scene.cell.insertOrgs({ org_id: 8001 }, { org_id: 8002 });
  await scene.open();
});
afterAll(() => scene.drop());

/** What the rule gives for an org, as a worker inserts it; `own`: columns that it should not choose. */
const insert = (org: number, own: Readonly<Record<string, string>> = {}, run = 'f.run_id'): string =>
  `insert into credit_rollout.allotments (${[INSERTED_COLUMNS, ...Object.keys(own)].join(', ')})
   select ${[insertedFrom('d', `'migrated'`, run), ...Object.values(own)].join(', ')}
   from credit_rollout.fence f, credit_rollout.cell c,
     credit_rollout.decided(null, null, array[${org}]::credit_rollout.org_id[], c.active_card) d`;

test.each([
  ['a version of its own', insert(8001, { version: '1073741823' }), REFUSED.permission],
  ['an instant of its own', insert(8001, { computed_at: `'2001-01-01'` }), REFUSED.permission],
  ['no run', insert(8001, {}, 'null::bigint'), REFUSED.restriction],
])('a first decision with %s is refused', async (_what, sql, refused) => {
  expect(await scene.logins.worker.attempt(sql)).toBe(refused);
});

test('an honest one is stored, and one that an earlier version let in can change again', async () => {
  expect(await scene.logins.worker.attempt(insert(8001), insert(8002))).toBe('done');
  await scene.cell.rewritePast(
    'update credit_rollout.allotments set version = 2147483640, checksum = null where org_id = 8002',
  );
  await scene.cell.sql(`update credit_rollout.allotments set agents = agents where org_id = 8002`);
  expect(
    await scene.cell.sql('select org_id, version from credit_rollout.allotments where org_id > 8000 order by org_id'),
  ).toEqual([
    { org_id: '8001', version: 1 },
    { org_id: '8002', version: 2147483641 },
  ]);
});

test('a login that may update columns of these tables locks none of them against others', async () => {
  for (const [login, table] of [
    ['worker', 'drift'],
    ['worker', 'detections'],
    ['worker', 'batches'],
    ['worker', 'fence'],
    ['fencer', 'fence'],
    ['fencer', 'checks'],
  ] as const)
    for (const mode of ['access exclusive', 'share row exclusive'])
      expect([
        login,
        table,
        await scene.logins[login].attempt('begin', `lock table credit_rollout.${table} in ${mode} mode`, 'rollback'),
      ]).toEqual([login, table, REFUSED.permission]);
});
