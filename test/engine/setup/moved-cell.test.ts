// A cell that moves to another server as people move one: pg_dump of the old, pg_restore on the new, two people adopt
// it. The old server goes on running, with processes that still have its URL: frozen before the dump, it gets nothing.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../../src/engine/context.js';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { previewAdoption } from '../../../src/engine/operate/adopt-cell.js';
import { freeze, unfreeze } from '../../../src/engine/operate/freeze.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { requestApply } from '../../../src/engine/rollout/request-rollout.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { initCell } from '../../../src/engine/setup/init-cell.js';
import { serveMessage, serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { listRoleNames } from '../../../src/stores/cell/setup/roles.js';
import { type RanCommand, runCommand } from '../../cli/captured-io.js';
import { sampleCard } from '../../domain/rate-card/sample-card.js';
import { createFleet, type Fleet, uniqueId } from '../../support/fleet.js';
import { openContext } from '../../support/open-context.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { type DumpedServer, dumpAvailable, startDumpedServer } from '../../support/pg-tools.js';
import { adminUrl, createTestDatabase, runAsAdmin, type TestDatabase } from '../../support/postgres.js';
import { silentLog } from '../../support/silent.js';
import { waitFor } from '../../support/wait.js';

describe.skipIf(!dumpAvailable())('a cell that is dumped and restored on another server', () => {
  const opened = new Set<() => Promise<unknown>>();
  const dc = uniqueId('m');
  let folder = '';
  let old: DumpedServer;
  let fleet: Fleet;
  let crowd: TestPeople;
  let restored: TestDatabase;
  /** Of processes with the new URL; `fleet.engine` is that of those with the old one. */
  let moved: EngineContext;
  let pool: pg.Pool;

  const sql = async (text: string): Promise<readonly Record<string, unknown>[]> => (await pool.query(text)).rows;

  /** As the n-th person, with the new URL. */
  const as = (n: number, ...args: readonly string[]): Promise<RanCommand> => asWith(restored.url, n, ...args);

  async function asWith(url: string, n: number, ...args: readonly string[]): Promise<RanCommand> {
    const path = join(folder, `person-${n}.yaml`);
    await writeFile(
      path,
      `controlDatabase: "${crowd.people[n]?.controlUrl}"\nqueue: redis://127.0.0.1:1\nrateCard: ${resolve('src/sample/rate-card.yaml')}
dataCenters:\n  - { id: ${dc}, zone: UTC, database: "${url}", source: public.orgs }\n`,
    );
    return runCommand(...args, '--config', path);
  }

  const ALL = 'select to_jsonb(a) as row from credit_rollout.allotments a order by org_id';
  const totalOf = (org: number): string =>
    `select total_credits::text as total from credit_rollout.allotments where org_id = '${org}'`;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'credit-rollout-moved-'));
    old = await startDumpedServer();
    const cells = [{ dataCenter: dc, server: old.adminUrl }];
    fleet = await createFleet({ cells, orgs: 300 });
    crowd = await createPeople(fleet, 'alice', 'bob');
    restored = await createTestDatabase('moved');
    pool = new pg.Pool({ connectionString: restored.url, max: 2 });
    pool.on('error', () => undefined);
    const urls = { control: fleet.controlUrl, cells: [{ id: dc, url: restored.url }], queue: undefined };
    moved = openContext(urls, silentLog, opened);
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    expect(await freeze(fleet.engine, { dataCenters: [dc], reason: 'it moves' })).toMatchObject({
      dataCenters: [{ state: 'frozen' }],
    });
  });
  afterAll(async () => {
    await Promise.all([...opened].map((close) => close()));
    await pool.end();
    await restored.drop();
    for (const role of listRoleNames(dc)) await runAsAdmin(adminUrl(), `drop role if exists "${role}"`);
    await crowd.drop();
    await fleet.drop();
    await old.stop();
    await rm(folder, { recursive: true });
  });

  test('is adopted by two people, verified, fed and rolled out there', async () => {
    const roles = await old.run('pg_dumpall', '--roles-only', '--dbname', old.adminUrl);
    const ours = roles.split('\n').filter((line) => line.includes(`credit_rollout_${dc}`));
    await runAsAdmin(adminUrl(), ours.join('\n'));
    const file = join(folder, 'cell.dump');
    await old.run('pg_dump', '--format=custom', `--file=${file}`, fleet.cell(0).url);
    await old.run('pg_restore', '--exit-on-error', `--dbname=${restored.url}`, file);

    expect((await as(0, 'verify', '--dc', dc)).err).toContain('wrong_cell');
    const unadopted = (await as(0, 'status')).out.replaceAll(/\s+/gu, ' ');
    expect(unadopted).toContain(`wrong_cell: The database configured for data center "${dc}" is another cell: its`);
    expect(unadopted).toMatch(/if the cell was moved on purpose, run: \S+ .*adopt-cell --dc /u);
    const propose = ['adopt-cell', '--dc', dc, '--execute', '--reason', 'new hardware', '--json'];
    const { adoption, frozen } = JSON.parse((await as(0, ...propose)).out);
    expect(frozen).toBe(true);
    expect((await as(0, 'approve', adoption)).err).toContain('same_person');
    expect(await as(1, 'approve', adoption)).toMatchObject({
      code: 0,
      out: expect.stringContaining('it has every run, plan and epoch that control knows'),
    });
    const { dataCenter } = fleet.cell(0);
    const here = { ...dataCenter, database: { text: restored.url } };
    await initCell(moved.cells.get(dc), { dataCenter: here, card: sampleCard, lapseGraceDays: 30 });
    await unfreeze(moved, { dataCenters: [dc], reason: 'it has moved' });
    expect(await as(0, 'verify', '--dc', dc)).toMatchObject({ code: 0, err: expect.not.stringContaining('error') });

    // the product writes here: an edit, which the feed follows, and an org that the next rollout finds
    const [before] = await sql(totalOf(4));
    await waitFor('the feed may write', async () => {
      await tick(moved);
      return (await feedChanges(moved, dc, { pace: 'at_once' })).kind === 'read';
    });
    await sql(`update public.orgs set agents = agents + 1000, updated_at = clock_timestamp() where org_id = 4;
      insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at, updated_at)
        values (1001, 'standard', true, 300, 0, 0, '2024-03-01 12:00+00', clock_timestamp())`);
    expect(await feedChanges(moved, dc, { pace: 'at_once' })).toMatchObject({ kind: 'read', raised: 1 });
    expect(Number((await sql(totalOf(4)))[0]?.total)).toBeGreaterThan(Number(before?.total));
  });

  test('gets nothing from processes that have the old URL, which write nothing in the old one either', async () => {
    const cell = fleet.cell(0);
    await cell.sql(`insert into credit_rollout.usage_days
      values (4, current_date, 'credits', 1, 1, 0, 0, 0, 0, 0, '{}')`);
    const before = await cell.sql(ALL);
    const { out } = await asWith(cell.url, 0, 'doctor', '--dc', dc);
    expect(out).toContain('this one was left behind');
    expect(out.replaceAll(/\s+/gu, ' ')).toContain('recorded 0 sign-ups and 1 days of usage in it');
    for (const command of ['verify', 'plan', 'quarantine'])
      expect(await asWith(cell.url, 0, command, '--dc', dc)).toMatchObject({
        code: 6,
        err: expect.stringContaining('was left behind when its cell moved'),
      });
    expect((await readStatus(fleet.engine)).dataCenters).toMatchObject([{ unreachable: 'wrong_cell' }]);
    expect((await readStatus(moved)).dataCenters).toMatchObject([{ unreachable: null, wrongCell: null }]);
    const status = (await asWith(cell.url, 0, 'status')).out.replaceAll(/\s+/gu, ' ');
    const database = new URL(restored.url).pathname.slice(1);
    expect(status).toMatch(
      new RegExp(
        `wrong_cell: .* was left behind when its cell moved: .* since 20.*: ${crowd.people[0]?.name} proposed ` +
          `the other copy, ${crowd.people[1]?.name} approved it \\(${dc}-a1\\) to continue: Put the URL of database ` +
          `"${database}" on the server with the system identifier \\d+ into the configuration; if this copy is meant, ` +
          `run: .* adopt-cell --dc ${dc} `,
        'u',
      ),
    );
    const { data_centers: told } = JSON.parse((await asWith(cell.url, 0, 'status', '--json')).out);
    expect(told[0].wrong_cell).toMatchObject({ adopted: { adoption: `${dc}-a1`, database_name: database } });
    await cell.sql('update public.orgs set agents = agents + 1000, updated_at = clock_timestamp() where org_id = 4');
    expect(await previewAdoption(fleet.engine, dc)).toMatchObject({ state: 'dry_run', leftBehind: true });
    expect(await previewAdoption(moved, dc)).toMatchObject({ state: 'in_place', leftBehind: false });
    const { config } = fleet;
    const dataCenters = [cell.dataCenter];
    await requestApply(moved, { config, card: sampleCard, dataCenters, reason: null });
    const [open] = await waitFor('its fence is open in the new one', async () => {
      await tick(moved);
      await serveOpenWork(moved, dc);
      const rows = await sql(`select epoch::text as epoch from credit_rollout.fence where state = 'open'`);
      return rows.length > 0 && rows;
    });
    // neither does a scheduler that has the old URL open anything there
    const fence = 'select state, epoch, run_id, single_writes from credit_rollout.fence';
    const closed = await cell.sql(fence);
    await unfreeze(fleet.engine, { dataCenters: [dc], reason: 'by mistake' });
    for (let ticks = 0; ticks < 3; ticks += 1) await tick(fleet.engine);
    expect(await cell.sql(fence)).toEqual(closed);
    expect(closed).toMatchObject([{ state: 'closed', single_writes: false }]);
    const message = { dataCenter: dc, epoch: BigInt(String(open?.epoch)), kind: 'apply' } as const;
    expect(await serveMessage(fleet.engine, message)).toBe('fenced');
    expect(await serveOpenWork(fleet.engine, dc)).toBeUndefined();
    expect(await feedChanges(fleet.engine, dc, { pace: 'at_once' })).toMatchObject({ kind: 'closed', raised: 0 });
    expect(await cell.sql(ALL)).toEqual(before);
    await waitFor('the new one is done', async () => {
      await tick(moved);
      await serveOpenWork(moved, dc);
      return (await fleet.stages())[0] === 'done';
    });
    expect(await sql(totalOf(1001))).toHaveLength(1);
  });
});
