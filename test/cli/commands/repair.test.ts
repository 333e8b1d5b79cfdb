// A verification that fails because somebody edited allotments, and the way out of it: verify names them, repair puts
// them back, retry goes on. Two people where a paid org would fall.
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
