// The check `lag` with a real standby: replay that is paused holds writes, and they go on once it has caught up.
import { execFile } from 'node:child_process';
import { appendFile, chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { sampleChecks } from '../../../src/engine/batch/sample-checks.js';
import { type EmbeddedPostgres, joinEmbeddedPostgres } from '../../../src/platform/embedded/postgres.js';
import { cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { applyCanary, createTestCell, openRun, type TestCell } from '../../support/cell.js';
import { FAST } from '../../support/global-setup.js';
import { runAsAdmin } from '../../support/postgres.js';
import { makeServerFolder } from '../../support/server-folder.js';
import { silentLog } from '../../support/silent.js';
import { waitUntilStopped } from '../../support/stopped-server.js';
import { waitFor } from '../../support/wait.js';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
// what is not flushed reaches no standby
const settings = { ...FAST, wal_level: 'replica', max_wal_senders: '4', wal_writer_delay: '50ms' };

let folder: string;
let primary: EmbeddedPostgres;
let standby: EmbeddedPostgres | undefined;
let cell: TestCell;
let at: { readonly dataCenter: string; readonly epoch: bigint; readonly forMs: number };

const joinServer = (name: string): Promise<EmbeddedPostgres> =>
  joinEmbeddedPostgres({ root: PROJECT, folder: join(folder, name), log: silentLog, settings });

async function stop(server: EmbeddedPostgres): Promise<void> {
  await server.leave();
  await waitUntilStopped(server.dataFolder);
}

/** A copy of the stopped primary, which then follows it. */
async function copyStandby(): Promise<void> {
  await mkdir(join(folder, 'standby'));
  await chmod(join(folder, 'standby'), 0o711);
  for (const part of ['data', 'password'])
    await promisify(execFile)('cp', ['-a', join(folder, 'primary', part), join(folder, 'standby', part)]);
  const data = join(folder, 'standby', 'data');
  const { password, searchParams } = new URL(primary.adminUrl);
  const source = `host=${searchParams.get('host')} user=postgres password=${password}`;
  await appendFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\n`);
  await writeFile(join(data, 'standby.signal'), '');
}

beforeAll(async () => {
  folder = await makeServerFolder();
  await chmod(folder, 0o755);
  primary = await joinServer('primary');
  await stop(primary);
  await copyStandby();
  primary = await joinServer('primary');
  standby = await joinServer('standby');
  cell = await createTestCell({
    server: primary.adminUrl,
    orgs: Array.from({ length: 300 }, () => ({})),
  });
  await cell.sql(`grant pg_read_all_stats to "${cellRoleName(cell.dataCenter.id, 'worker')}"`);
  const epoch = await openRun(cell.cell, cell.card, { batchSize: 100, lanes: 2 });
  at = { dataCenter: cell.dataCenter.id, epoch, forMs: 0 };
  await applyCanary(cell.cell, at);
  await cell.sql('select credit_rollout.set_checks($1::jsonb)', [JSON.stringify([{ name: 'lag', limit: 'PT1S' }])]);
});
afterAll(async () => {
  await cell.drop();
  if (standby !== undefined) await stop(standby);
  await stop(primary);
  await rm(folder, { recursive: true, force: true });
});

const state = async (): Promise<Record<string, unknown> | undefined> =>
  (
    await cell.sql(`select c.value, c.error, t.lanes from credit_rollout.checks c, credit_rollout.throttle t
      where t.scope = 'write'`)
  )[0];

/** Samples until the lanes are as a test waits for. */
const sampleUntil = (what: string, holds: (lanes: number) => boolean): Promise<unknown> =>
  waitFor(what, async () => {
    await sampleChecks(cell.cell, 0);
    const now = await state();
    return now?.lanes !== null && holds(Number(now?.lanes)) ? now : undefined;
  });

test('holds while the replay of a standby is paused, and goes on once it has caught up', async () => {
  if (standby === undefined) throw new Error('it has not started');
  await sampleUntil('a standby that follows', (lanes) => lanes > 0);
  await runAsAdmin(standby.adminUrl, 'select pg_wal_replay_pause()');
  await cell.sql('create table public.written_meanwhile as select 1');
  await sampleUntil('a hold', (lanes) => lanes === 0);
  expect(await state()).toMatchObject({ error: null });
  expect((await applyBatches(cell.context, at)).last).toEqual({ kind: 'throttled' });
  await runAsAdmin(standby.adminUrl, 'select pg_wal_replay_resume()');
  await sampleUntil('lanes again', (lanes) => lanes > 0);
  expect((await applyBatches(cell.context, at)).batches).toBe(1);
});

test('holds where the standby is gone, and says so', async () => {
  if (standby === undefined) throw new Error('it has not started');
  await stop(standby);
  standby = undefined;
  await sampleUntil('a hold', (lanes) => lanes === 0);
  expect(await state()).toEqual({ value: null, error: 'no_standby', lanes: 0 });
  expect((await applyBatches(cell.context, at)).last).toEqual({ kind: 'throttled' });
});
