// `apply --plan` with a plan that cannot be applied: a clear error and nothing asked for, also where nothing would
// change.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let used = '';
let fresh = '';
const run = (...args: readonly string[]): Promise<RanCommand> =>
  runCommand(...args, '--config', join(folder, 'rollout.config.yaml'));
const idOf = (place: number): string => fleet.cell(place).dataCenter.id;
const requests = () =>
  fleet.control(`select count(requested_at)::int as asked from credit_rollout_control.data_centers`);

/** One data center is done, and nothing is left to change there. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-apply-'));
  fleet = await createFleet({ cells: [{}, {}], orgs: 200 });
  const dataCenters = fleet.cells.map(
    ({ dataCenter: { id, zone }, url }) => `  - { id: ${id}, zone: ${zone}, database: "${url}", source: public.orgs }`,
  );
  await writeFile(
    join(folder, 'rollout.config.yaml'),
    `controlDatabase: "${fleet.controlUrl}"\nqueue: redis://127.0.0.1:1\nrateCard: ${resolve('src/sample/rate-card.yaml')}\ndataCenters:\n${dataCenters.join('\n')}\n`,
  );
  used = (await fleet.plan(fleet.cell(0))).planId ?? '';
  await fleet.applyPlan(fleet.cell(0), used);
  await fleet.drive();
}, 60_000);
beforeEach(async () => {
  fresh = (await fleet.plan(fleet.cell(0))).planId ?? '';
});
afterAll(async () => {
  await fleet.drop();
  await rm(folder, { recursive: true });
});

/** Not as the planner, who may not. */
const tamper = (change: string): Promise<unknown> =>
  fleet.cell(0).sql(`set local session_replication_role = replica; ${change}`);

async function expectRefused(planId: string, code: string, ...more: readonly string[]): Promise<void> {
  for (const way of [[], ['--execute'], ['--execute', '--wait']]) {
    const { err, out } = await run('apply', '--plan', planId, ...more, ...way);
    expect([way, err]).toEqual([way, expect.stringContaining(`error [${code}]`)]);
    expect(out).toBe('');
  }
  expect(await requests()).toEqual([{ asked: 0 }]);
}

describe('apply --plan', () => {
  test('rejects what is no plan, is unknown, or of an unknown data center', async () => {
    await expectRefused('nonsense', 'plan_unknown');
    await expectRefused(`${idOf(0)}-999`, 'plan_unknown');
    await expectRefused(`${idOf(1)}-999`, 'plan_unknown');
    await expectRefused('mars-1', 'unknown_data_center');
  });

  test('rejects a used plan', () => expectRefused(used, 'plan_used'));

  test('rejects the plan of another data center, and a plan for several', async () => {
    await expectRefused(fresh, 'plan_unknown', '--dc', idOf(1));
    await expectRefused(fresh, 'invalid_argument', '--all');
  });

  test('rejects a plan that was edited', async () => {
    await tamper(
      `update credit_rollout.plan_ranges set touched_credits = touched_credits + 1 where plan_id = ${fresh.split('-').at(-1)}`,
    );
    await expectRefused(fresh, 'plan_edited');
  });

  test('rejects a plan that is older than its retention', async () => {
    await tamper(
      `update credit_rollout.plans set made_at = made_at - interval '30 days 1 minute' where plan_id = ${fresh.split('-').at(-1)}`,
    );
    await expectRefused(fresh, 'plan_expired');
  });

  test('shows without --execute what that plan has, whatever the source has become since', async () => {
    const [before = {}] = await fleet.cell(0).sql('select agents from public.orgs where org_id = 1');
    await fleet.cell(0).sql('update public.orgs set agents = agents + 5000 where org_id = 1');
    const { out } = await run('apply', '--plan', fresh);
    expect(out).toMatch(new RegExp(`^Plan ${fresh} for `, 'u'));
    expect(out).toContain('An apply writes 0 orgs');
    expect(out).toContain('Nothing was changed, and nothing is pending.');
    await fleet.cell(0).sql('update public.orgs set agents = $1 where org_id = 1', [before.agents]);
  });

  test('reports that nothing is to be done for a plan that is none of these', async () => {
    const { code, out } = await run('apply', '--plan', fresh, '--execute');
    expect([code, out]).toEqual([0, `✔ ${idOf(0)}: done, nothing to change\n`]);
  });

  test('rejects a plan made before the type of a source column changed', async () => {
    expect((await run('detach', '--dc', idOf(0))).code).toBe(0);
    await expectRefused(fresh, 'not_initialised');
    await fleet.cell(0).sql('alter table public.orgs alter column agents type integer');
    await fleet.cell(0).init();
    await expectRefused(fresh, 'plan_source_changed');
  });
});
