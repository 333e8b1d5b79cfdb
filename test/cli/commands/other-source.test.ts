// A configuration that names another source than the policy has, or than `init` attached: rejected before anything is
// read or asked for.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellOwnerName } from '../../../src/stores/cell/cell-database.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { setPolicy } from '../../support/policy.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let dc = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-source-'));
  fleet = await createFleet({ orgs: 20 });
  dc = fleet.cell(0).dataCenter.id;
  await fleet.cell(0).sql('create view public.others as select * from public.orgs');
}, 60_000);
afterAll(async () => {
  await fleet.drop();
  await rm(folder, { recursive: true });
});

async function run(source: string, ...args: readonly string[]): Promise<RanCommand> {
  const { url, dataCenter } = fleet.cell(0);
  const config = join(folder, 'rollout.config.yaml');
  await writeFile(
    config,
    `controlDatabase: "${fleet.controlUrl}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\ndataCenters:\n  - { id: ${dc}, zone: ${dataCenter.zone}, database: "${url}", source: '${source}' }\n`,
  );
  return runCommand(...args, '--dc', dc, '--config', config);
}

const WAYS = [['plan'], ['apply'], ['apply', '--execute'], ['apply', '--execute', '--wait']] as const;
const asked = () =>
  fleet.control(
    `select (select count(requested_at)::int from credit_rollout_control.data_centers) as requests,
       (select count(*)::int from credit_rollout_control.plans) as plans`,
  );

describe('plan and apply', () => {
  test.each(['public.orgz', 'public.others', 'public.Orgs', 'other.orgs'])(
    'reject the source %s, which is not the attached one',
    async (source) => {
      const before = await asked();
      for (const way of WAYS) {
        const { code, out, err } = await run(source, ...way);
        expect([code, out]).toEqual([1, '']);
        expect(err).toContain(
          `error [policy_differs] dataCenters.${dc}.source is ${source} in the configuration, but public.orgs in the policy.`,
        );
      }
      expect(await asked()).toEqual(before);
    },
  );

  test.each(['public.orgs', '"public"."orgs"', 'public."orgs"'])(
    'take the source %s for the attached one',
    async (source) => expect(await run(source, 'plan')).toMatchObject({ code: 0, err: '' }),
  );

  test('go by what init attached, whatever its name needs of quotes', async () => {
    const name = `"Product.2"."Org ""s"" ${'x'.repeat(80)}"`;
    await fleet.cell(0).sql(`create schema "Product.2"`);
    await fleet.cell(0).sql(`create view ${name} as select * from public.orgs`);
    const owner = cellOwnerName(dc);
    await fleet.cell(0).sql(`grant usage on schema "Product.2" to ${owner}; grant select on ${name} to ${owner}`);
    await setPolicy(fleet, { [`dataCenters.${dc}.source`]: name });
    const before = await run(name, 'plan');
    expect(before.err).toContain(`[source_changed] Data center "${dc}": its configured source is ${name}`);
    expect(before.err).toMatch(/next: Run: credit-rollout .*init/u);
    expect((await run(name, 'init')).code).toBe(0);
    expect(await run(name, 'plan')).toMatchObject({ code: 0, err: '' });
    await setPolicy(fleet, { [`dataCenters.${dc}.source`]: 'public.orgs' });
    expect((await run('public.orgs', 'plan')).err).toContain('[source_changed]');
    expect((await run('public.orgs', 'init')).code).toBe(0);
    expect((await run('public.orgs', 'plan')).code).toBe(0);
  });

  test('leave a detached cell to what needs its views', async () => {
    expect((await run('public.orgs', 'detach')).code).toBe(0);
    expect((await run('public.orgs', 'plan')).err).toContain('[not_initialised]');
  });
});
