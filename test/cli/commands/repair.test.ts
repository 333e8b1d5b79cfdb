// A verification that fails because somebody edited allotments, and the way out of it: verify names them, repair puts
// them back, retry goes on. Two people where a paid org would fall. Then the cell moves, and two people adopt it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatRelease } from '../../../src/domain/rollout/hold.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let crowd: TestPeople;
let dc = '';

/** As the n-th person: alice, bob. */
async function as(n: number, ...args: readonly string[]): Promise<RanCommand> {
  const path = join(folder, `person-${n}.yaml`);
  const { dataCenter, url } = fleet.cell(0);
  await writeFile(
    path,
    `controlDatabase: "${crowd.people[n]?.controlUrl}"\nqueue: redis://127.0.0.1:1\nrateCard: ${resolve('src/sample/rate-card.yaml')}
dataCenters:\n  - { id: ${dc}, zone: ${dataCenter.zone}, database: "${url}", source: public.orgs }\n`,
  );
  return runCommand(...args, '--config', path);
}

const rowOf = async (org: string): Promise<Record<string, unknown>> => {
  const [row = {}] = await fleet
    .cell(0)
    .sql(
      `select to_jsonb(a) - '{version,run_id,computed_at,checksum}'::text[] as row from credit_rollout.allotments a where org_id = $1`,
      [org],
    );
  return row.row as Record<string, unknown>;
};
/** Of one that pays and whose plan gives more than its floor. */
const takeOrg = async (): Promise<string> => {
  const [row] = await fleet.cell(0).sql(`select org_id from credit_rollout.allotments
    where paid and variable_credits > 10 and base_credits + variable_credits > coalesce(floor, 0) + 10
    order by org_id limit 1`);
  return String(row?.org_id);
};
/** Somebody's SQL: the total stays the sum of its parts. */
const edit = (org: string, by: number): Promise<unknown> =>
  fleet.cell(0).sql(
    `update credit_rollout.allotments set variable_credits = variable_credits + $2, total_credits = total_credits + $2
     where org_id = $1`,
    [org, by],
  );
/** Not by the command, which has a time limit of its own. */
async function nextOf(): Promise<string> {
  const [status] = (await readStatus(fleet.engine)).dataCenters;
  return status === undefined ? '' : formatRelease(status.next);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-repair-'));
  fleet = await createFleet({ orgs: 300, rollout: '{ batchSize: 100, canaryWait: PT1S }' });
  crowd = await createPeople(fleet, 'alice', 'bob');
  dc = fleet.cell(0).dataCenter.id;
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

describe('repair', () => {
  test('puts back what was edited during the wait after the canary, and the rollout goes on', async () => {
    const cell = fleet.cell(0);
    await fleet.apply(cell);
    await fleet.tickUntil('the canary is verified', async () => {
      await serveOpenWork(fleet.engine, dc);
      const [row] = await cell.sql(
        `select bool_and(verified_at is not null) as so from credit_rollout.batches where kind = 'canary'`,
      );
      return row?.so === true;
    });
    const org = await takeOrg();
    const before = await rowOf(org);
    await edit(org, 7);
    await fleet.tickUntil('it has failed', async () => {
      await serveOpenWork(fleet.engine, dc);
      return (await fleet.stages())[0] === 'failed';
    });
    expect(await nextOf()).toContain(`repair --dc ${dc}`);

    const verified = await as(0, 'verify', '--dc', dc);
    expect(verified.code).toBe(5);
    expect(verified.out).toContain(`    org ${org}: `);
    expect(verified.out).toContain(`repair --dc ${dc}`);

    const dry = await as(0, 'repair', '--dc', dc);
    expect([dry.code, dry.err]).toEqual([0, '']);
    expect(dry.out).toContain('1 org that pay would fall: a second person must approve it.');
    expect(await cell.sql('select from credit_rollout.repairs')).toEqual([]);
    expect((await as(0, 'repair', '--dc', dc, '--execute')).err).toContain('needs a reason');

    const proposed = await as(0, 'repair', '--dc', dc, '--execute', '--reason', 'edited by hand');
    const name = /approve (\S+-p\d+)/u.exec(proposed.out)?.[1] ?? '';
    expect([proposed.code, name]).toEqual([0, `${dc}-p1`]);
    expect(await nextOf()).toContain(`approve ${name}`);
    expect((await as(0, 'approve', name)).err).toContain('error [same_person]');
    expect(await rowOf(org)).not.toEqual(before);

    const approved = await as(1, 'approve', name);
    expect([approved.err, approved.code]).toEqual(['', 0]);
    expect(approved.out).toContain(`retry --dc ${dc}`);
    expect(await rowOf(org)).toEqual(before);
    expect(await nextOf()).toContain(`retry --dc ${dc}`);
    expect((await as(1, 'approve', name)).err).toContain('error [repair_unknown]');
    expect((await as(0, 'repair', '--dc', dc)).code).toBe(8);
    expect((await as(0, 'verify', '--dc', dc)).code).toBe(0);

    expect((await as(0, 'retry', '--dc', dc)).code).toBe(0);
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  });

  test('lets one person raise at once, also what triggers did not record, and audits it', async () => {
    const cell = fleet.cell(0);
    const org = await takeOrg();
    const before = await rowOf(org);
    await cell.rewritePast(
      `update credit_rollout.allotments set variable_credits = variable_credits - 7, total_credits = total_credits - 7
       where org_id = ${org}`,
    );
    const done = await as(0, 'repair', '--dc', dc, '--execute', '--reason', 'seen in verify');
    expect([done.err, done.code]).toEqual(['', 0]);
    expect(done.out).toContain('It is written and verified.');
    expect(await rowOf(org)).toEqual(before);
    const [change] = await cell.sql(
      'select cause from credit_rollout.allotment_changes where org_id = $1 order by change_id desc limit 1',
      [org],
    );
    expect(change).toEqual({ cause: 'repair' });
    expect(
      await fleet.control(
        `select action, actor, reason from credit_rollout_control.audit where details ->> 'repair' = $1 order by seq`,
        [`${dc}-p2`],
      ),
    ).toEqual(
      ['repair', 'repair_applied'].map((action) => ({
        action,
        actor: crowd.people[0]?.name,
        reason: 'seen in verify',
      })),
    );
    await fleet.expectInvariants();
  });

  test('asks a second person where a paid org would lose only calls at once', async () => {
    const cell = fleet.cell(0);
    const org = await takeOrg();
    const before = await rowOf(org);
    await cell.rewritePast(
      `update credit_rollout.allotments set concurrency_limit = concurrency_limit + 5 where org_id = ${org}`,
    );
    const proposed = await as(0, 'repair', '--dc', dc, '--execute', '--reason', 'too many at once');
    const name = /approve (\S+-p\d+)/u.exec(proposed.out)?.[1] ?? '';
    expect(name).not.toBe('');
    expect(await rowOf(org)).not.toEqual(before);
    expect((await as(1, 'approve', name)).code).toBe(0);
    expect(await rowOf(org)).toEqual(before);
  });

  test('writes nothing where a run is open, or what it found has changed since', async () => {
    const cell = fleet.cell(0);
    const org = await takeOrg();
    await edit(org, 5);
    const proposed = await as(0, 'repair', '--dc', dc, '--execute', '--reason', 'again');
    const name = /approve (\S+-p\d+)/u.exec(proposed.out)?.[1] ?? '';
    await edit(org, 1);
    expect((await as(1, 'approve', name)).err).toContain('error [conflict]');
    await fleet.apply(cell);
    expect((await as(0, 'repair', '--dc', dc, '--execute', '--reason', 'again')).err).toContain(
      'error [data_center_busy]',
    );
  });
});

describe('adopt-cell', () => {
  const propose = ['--execute', '--reason', 'new hardware', '--json'];
  const place = 'select system_identifier, database_name from credit_rollout.cell';

  test('lets two people adopt a cell that was moved, and names what it lacks', async () => {
    const { sql } = fleet.cell(0);
    const adopt = ['adopt-cell', '--dc', dc];
    expect(await as(0, ...adopt)).toMatchObject({ code: 8, out: expect.stringContaining('is where it was') });
    const here = await sql(place);
    await sql(`update credit_rollout.cell set system_identifier = '1', database_name = 'before';
      update credit_rollout.fence set timeline = '000000AA';
      select setval('credit_rollout.plan_ids', 1, false), setval('credit_rollout.allotment_changes_change_id_seq', 1)`);
    await fleet.control(`set local session_replication_role = replica; insert into credit_rollout_control.runs
      (run_id, data_center, kind, state, card_hash, ended_at) values (900001, '${dc}', 'migrate', 'done', 'x', now())`);
    const refused = await as(0, 'verify', '--dc', dc);
    expect(refused).toMatchObject({ code: 6, err: expect.stringContaining('wrong_cell') });
    expect(refused.err).toContain(`adopt-cell --dc ${dc}`);
    const dry = await as(0, ...adopt);
    expect(dry).toMatchObject({ code: 0, out: expect.stringContaining('from: database before, system 1') });
    expect(dry.out).toContain('⚠ runs that control knows and it does not have: 900001');
    expect(dry.out).toContain('Nothing was changed.');
    expect((await as(0, ...adopt, '--execute')).err).toContain('--reason');

    const first = JSON.parse((await as(0, ...adopt, ...propose)).out);
    expect(first).toMatchObject({ state: 'proposed', adoption: `${dc}-a1`, missing: { runs: ['900001'] } });
    expect(await as(1, ...adopt, ...propose)).toMatchObject({ code: 6, out: expect.stringContaining('adoption_open') });
    expect(await as(0, 'approve', first.adoption)).toMatchObject({
      code: 7,
      err: expect.stringContaining('same_person'),
    });
    await sql('update credit_rollout.fence set epoch = epoch + 1');
    expect(await as(1, 'approve', first.adoption)).toMatchObject({
      code: 6,
      err: expect.stringContaining('adoption_outdated'),
    });
    expect((await as(0, ...adopt, '--withdraw', '--reason', 'again')).out).toContain('is withdrawn');
    await expect(sql(`select credit_rollout.adopt_cell('{"kind": "adoption"}')`)).rejects.toThrow('did not seal');

    const { adoption } = JSON.parse((await as(0, ...adopt, ...propose)).out);
    const done = await as(1, 'approve', adoption, '--reason', 'I moved it');
    expect(done).toMatchObject({ code: 0, out: expect.stringContaining('this database is its cell now') });
    expect(await sql(place)).toEqual(here);
    expect(
      await sql(`select f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) as here,
        nextval('credit_rollout.plan_ids') > (select max(plan_id) from credit_rollout.plans) as plans,
        nextval('credit_rollout.allotment_changes_change_id_seq')
          > (select max(change_id) from credit_rollout.allotment_changes) as changes
        from credit_rollout.fence f`),
    ).toEqual([{ here: true, plans: true, changes: true }]);
    expect((await as(0, 'verify', '--dc', dc)).err).not.toContain('wrong_cell');
    expect(
      await fleet.control(`select actor, action, reason from credit_rollout_control.audit
        where action like '%adopt%' order by seq`),
    ).toMatchObject([
      { action: 'propose_adoption', actor: crowd.people[0]?.name, reason: 'new hardware' },
      { action: 'withdraw_adoption' },
      { action: 'propose_adoption' },
      { action: 'approve_adoption', actor: crowd.people[1]?.name, reason: 'I moved it' },
      { action: 'adopt_cell' },
    ]);
  });
});
