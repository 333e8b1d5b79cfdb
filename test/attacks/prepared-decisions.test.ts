// On a server that allows two phases: a decision cannot be prepared and committed by whoever comes later, and `doctor`
// names what lies prepared.
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkCellPrepared, checkControlPrepared } from '../../src/engine/doctor/check-prepared.js';
import { createFindingRecorder } from '../../src/engine/doctor/finding.js';
import { type EmbeddedPostgres, joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { FAST } from '../support/global-setup.js';
import { sealInCell } from '../support/seal-in-cell.js';
import { makeServerFolder } from '../support/server-folder.js';
import { silentLog } from '../support/silent.js';
import { waitUntilStopped } from '../support/stopped-server.js';
import { type ControlScene, openControlScene } from './control-scene.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const REFUSED = '0A000';
const schema = 'credit_rollout_control';
let folder: string;
let server: EmbeddedPostgres;
let scene: ControlScene;
beforeAll(async () => {
  folder = await makeServerFolder();
  const settings = { ...FAST, max_prepared_transactions: '4' };
  server = await joinEmbeddedPostgres({ root: ROOT, folder, log: silentLog, settings });
  scene = await openControlScene(server.adminUrl);
});
afterAll(async () => {
  await scene?.drop();
  await server?.leave();
  if (server) await waitUntilStopped(server.dataFolder);
  await rm(folder, { recursive: true, force: true });
});

describe('a decision', () => {
  test('is prepared by nobody', async () => {
    const { operator, approver } = scene.logins;
    const dc = scene.dataCenters[0];
    const proposals = [
      `insert into ${schema}.policy_changes (name, reason, to_value) values ('reconcile.maxChanged', 'x', '77')`,
      `insert into ${schema}.postponements (data_center, to_at, to_local, reason)
        values ('${dc}', '2098-01-01T00:00Z', 'then', 'x')`,
      `insert into ${schema}.reconcile_requests (data_center, reason, allow_falls) values ('${dc}', 'x', true)`,
      `insert into ${schema}.cell_proposals (data_center, kind, number, digest)
        values ('${dc}', 'override', 1, '${'d'.repeat(64)}')`,
      `insert into ${schema}.audit_cuts (reason, parts) values ('x', '[{"data_center": "${dc}", "from": null,
        "heads": [{"link": "900", "hash": "${'0'.repeat(64)}"}]}]')`,
    ];
    for (const proposal of proposals) {
      expect(await operator.attempt('begin', proposal, `prepare transaction 'proposed'`)).toBe(REFUSED);
      expect(await operator.attempt(proposal)).toBe('done');
    }
    for (const decide of [
      `update ${schema}.policy_changes set state = 'applied'`,
      `update ${schema}.postponements set state = 'applied'`,
      `update ${schema}.reconcile_requests set state = 'approved'`,
      `update ${schema}.cell_proposals set state = 'approved'`,
      `update ${schema}.audit_cuts set state = 'accepted'`,
    ])
      expect(await approver.attempt('begin', decide, `prepare transaction 'later'`)).toBe(REFUSED);
    expect(await scene.fleet.control('select gid from pg_prepared_xacts')).toEqual([]);
  });

  test('of a plan is prepared by nobody', async () => {
    expect(await scene.logins.operator.attempt(scene.register(1))).toBe('done');
    const approve = `insert into ${schema}.approvals (plan_id, kind, reason) values ('${scene.planOf(1)}', 'person', 'x')`;
    expect(await scene.logins.approver.attempt('begin', approve, `prepare transaction 'later'`)).toBe(REFUSED);
  });
});

describe('a seal', () => {
  test('is used by no transaction that is prepared', async () => {
    const { cell, sql } = scene.fleet.cell(0);
    const content = { at: '2098-10-30T00:00:00Z', local: 'then', set_at: '2026-01-01T00:00:00Z' };
    const use = `select credit_rollout.arm_gate('${await sealInCell(cell, 'cutover', content)}')`;
    await expect(sql(`begin; ${use}; prepare transaction 'later'`)).rejects.toMatchObject({ code: REFUSED });
    expect(await sql('select gid from pg_prepared_xacts')).toEqual([]);
  });
});

describe('doctor', () => {
  const control = () => scene.fleet.engine.control;
  const record = createFindingRecorder({ subject: 'x', title: 'X' }, 'prepared transactions');

  test('warns where transactions can be left prepared, and names those of control', async () => {
    expect(await checkControlPrepared({ control: control() }, record)).toMatchObject([
      { level: 'warning', found: expect.stringContaining('max_prepared_transactions is 4') },
    ]);
    const { operator } = scene.logins;
    const held = `update ${schema}.data_centers set quiet = quiet`;
    expect(await operator.attempt('begin', held, `prepare transaction 'left'`)).toBe('done');
    expect(await checkControlPrepared({ control: control() }, record)).toMatchObject([
      { level: 'error', found: expect.stringContaining(`${operator.name} prepared the transaction left at `) },
    ]);
    await operator.attempt(`rollback prepared 'left'`);
  });

  test('names no transaction of a cell that a program has just prepared', async () => {
    const { cell, sql } = scene.fleet.cell(0);
    await sql(`begin; create table public.anything (n integer); prepare transaction 'left'`);
    expect(await checkCellPrepared({ cell }, record)).toMatchObject([{ level: 'ok' }]);
    await sql(`rollback prepared 'left'`);
  });
});
