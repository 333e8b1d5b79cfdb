// Overrides end to end on real databases: proposed by one person, applied by the approval of another, and kept by the
// next run.
import { afterEach, describe, expect, test } from 'vitest';
import { decideOrg } from '../../../src/domain/org/decide-org.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { explainOrg } from '../../../src/engine/org/explain-org.js';
import type { TestOrg } from '../../support/cell.js';
import { createFleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';
import { approve, auditOf, dropOwn, dropped, makeScene, propose, rowOf, type Scene } from './overrides-scene.js';

afterEach(dropOwn);

/** The cut-over of the data center is over and swept: the window is closed. */
const sweep = ({ cell }: Scene): Promise<unknown> =>
  cell.sql(`update credit_rollout.gate set armed_at = '2025-10-30', effective_at = '2025-10-30', latched_at = '2025-10-30',
    swept_at = '2025-10-31'`);

describe('an override', () => {
  test('raises a floor: shown first, applied by the second person, verified, recorded with both images', async () => {
    const scene = await makeScene([{ additional_credits: 10_000 }, {}]);
    const before = await rowOf(scene);
    const proposal = await propose(scene, 200_000n);
    expect(proposal).toMatchObject({ overrideId: `${scene.cell.dataCenter.id}-o1`, state: 'proposed', approver: null });
    expect(proposal.changes).toEqual([
      { column: 'floor', from: 150_000n, to: 200_000n },
      { column: 'grandfathered_credits', from: 25_000n, to: 75_000n },
      { column: 'total_credits', from: 160_000n, to: 210_000n },
    ]);
    expect(await rowOf(scene)).toEqual(before);

    const applied = await approve(scene, proposal.overrideId);
    expect(applied).toMatchObject({ state: 'applied', approver: scene.bob.name, changes: proposal.changes });
    const after = await rowOf(scene);
    expect(after).toMatchObject({
      ...{ floor: '200000', floor_edition: 'standard', grandfathered_credits: '75000', total_credits: '210000' },
      ...{ winner: 'legacy', version: 2, run_id: null },
    });
    const images = await scene.cell.sql(`select author, approver, reason, state, decided_at is not null as decided,
      before = (select c.before from credit_rollout.allotment_changes c) as same_before,
      after = (select to_jsonb(a) from credit_rollout.allotments a where org_id = 1) as same_after from credit_rollout.overrides`);
    expect(images).toEqual([
      {
        ...{ author: scene.alice.name, approver: scene.bob.name, reason: 'usage', state: 'applied', decided: true },
        ...{ same_before: true, same_after: true },
      },
    ]);
    expect(await scene.cell.sql('select cause, run_id, version from credit_rollout.allotment_changes')).toEqual([
      { cause: 'override', run_id: null, version: 1 },
    ]);
    expect((await verifyDataCenter(scene.fleet.engine, scene.cell.dataCenter.id)).mismatches).toBe(0);
    await scene.fleet.expectInvariants();
  });

  test('leaves verb, data center, count and a hash in control, and never the id', async () => {
    const id = '00000000-0000-4000-8000-00000000abcd';
    const fleet = await createFleet({ cells: [{ idType: 'uuid', orgs: [{ org_id: id }] }] });
    dropped.push(fleet.drop);
    const crowd = await createPeople(fleet, 'alice', 'bob');
    dropped.push(crowd.drop);
    const [alice, bob] = crowd.people as [TestPerson, TestPerson];
    const scene: Scene = { fleet, cell: fleet.cell(0), alice, bob };
    await fleet.apply(scene.cell);
    await fleet.drive();
    await approve(scene, (await propose(scene, 200_000n, id.toUpperCase())).overrideId);
    const dc = scene.cell.dataCenter.id;
    const details = { override: `${dc}-o1`, orgs: 1, org_hash: expect.stringMatching(/^[0-9a-f]{64}$/u) };
    expect(await auditOf(scene)).toEqual([
      { action: 'override', actor: alice.name, data_center: dc, reason: 'usage', details },
      { action: 'approve', actor: bob.name, data_center: dc, reason: 'agreed', details },
      { action: 'override_applied', actor: bob.name, data_center: dc, reason: 'agreed', details },
    ]);
    const tables = await fleet.control(`select tablename from pg_tables where schemaname = 'credit_rollout_control'`);
    for (const { tablename } of tables) {
      const rows = await fleet.control(`select t::text as row from credit_rollout_control.${tablename} t`);
      expect(JSON.stringify(rows)).not.toContain('abcd');
    }
  });

  test('lowers a floor after the sweep, which nothing else does', async () => {
    const scene = await makeScene([{}]);
    await sweep(scene);
    await expect(scene.cell.sql('update credit_rollout.allotments set floor = 130000')).rejects.toMatchObject({
      code: '23001',
    });
    await approve(scene, (await propose(scene, 130_000n)).overrideId);
    expect(await rowOf(scene)).toMatchObject({ floor: '130000', total_credits: '130000', version: 2 });
    await approve(scene, (await propose(scene, null)).overrideId);
    expect(await rowOf(scene)).toMatchObject({
      ...{ floor: null, floor_edition: null, grandfathered_credits: '0', total_credits: '125000', winner: 'credits' },
    });
    expect((await verifyDataCenter(scene.fleet.engine, scene.cell.dataCenter.id)).mismatches).toBe(0);
    await scene.fleet.expectInvariants();
  });

  test('is kept by the next run', async () => {
    const scene = await makeScene([{}, {}]);
    await sweep(scene);
    await approve(scene, (await propose(scene, 130_000n)).overrideId);
    const row = await rowOf(scene);
    await scene.fleet.apply(scene.cell);
    expect(await scene.fleet.drive()).toEqual(['done']);
    expect(await rowOf(scene)).toEqual(row);
    await scene.fleet.expectInvariants();
  });

  test('records today’s edition, so that an edition that fell before does not lower it again', async () => {
    const scene = await makeScene([{ edition: 'enterprise', agents: 10, legacy_limit: 300_000 }]);
    await sweep(scene);
    await scene.cell.sql(`update public.orgs set edition = 'standard', legacy_limit = null`);
    await approve(scene, (await propose(scene, 250_000n)).overrideId);
    expect(await rowOf(scene)).toMatchObject({ edition: 'standard', floor: '250000', floor_edition: 'standard' });
    const { recompute } = await explainOrg(scene.cell.context, { dataCenter: scene.cell.dataCenter.id, orgId: '1' });
    expect(recompute).toMatchObject({ movement: 'same' });
  });

  test('gives what the rule in TypeScript gives with that floor, for orgs of every kind', async () => {
    const orgs: readonly TestOrg[] = [
      {},
      { edition: 'free', paid: false, agents: 40 },
      { edition: 'enterprise', agents: 25, additional_credits: 7, light_agents: 3 },
      { edition: 'professional', paid: false, legacy_limit: 90_000 },
      { edition: 'express', agents: 0, legacy_limit: 9_007_199_254_740_993n },
    ];
    const scene = await makeScene(orgs);
    await sweep(scene);
    for (const orgId of ['1', '2', '3', '4', '5']) {
      const floor = 9_007_199_254_740_995n + BigInt(orgId);
      const dataCenter = scene.cell.dataCenter.id;
      const { stored, source, gate } = await explainOrg(scene.cell.context, { dataCenter, orgId });
      if (stored === null || source === null) throw new Error('it was rolled out');
      const { after, overrideId } = await propose(scene, floor, orgId);
      const rule = decideOrg({
        inputs: source,
        card: scene.cell.card,
        prior: { ...stored.allotment, floor, floorEdition: source.edition },
        gate: { ...gate, decidedAt: null },
        today: stored.computedOn,
        lapseGraceDays: 30,
      });
      expect(rule).toMatchObject({ kind: 'decided', allotment: after });
      await approve(scene, overrideId);
      expect((await explainOrg(scene.cell.context, { dataCenter, orgId })).stored?.allotment).toEqual(after);
    }
    await scene.fleet.expectInvariants();
  });
});
