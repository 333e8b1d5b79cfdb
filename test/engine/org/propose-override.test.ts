// An override is proposed, or taken back again: what is rejected at once, and how it is explained afterwards.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explainOrg } from '../../../src/engine/org/explain-org.js';
import { withdrawOverride } from '../../../src/engine/org/override-proposals.js';
import { approve, auditOf, dropShared, openShared, propose, rowOf, scene, takeOrg } from './overrides-scene.js';

beforeAll(openShared);
afterAll(dropShared);

describe('withdrawOverride', () => {
  test('takes an open proposal back, changes nothing, leaves an audit row, and lets the org have another', async () => {
    const orgId = takeOrg();
    const before = await rowOf(scene, orgId);
    const proposal = await propose(scene, 200_000n, orgId);
    const wanted = { dataCenter: scene.cell.dataCenter.id, orgId, reason: 'a typing error' };
    expect(await withdrawOverride(scene.alice.engine, wanted)).toBe(proposal.overrideId);
    expect(await rowOf(scene, orgId)).toEqual(before);
    await expect(approve(scene, proposal.overrideId)).rejects.toMatchObject({ code: 'override_decided' });
    await expect(withdrawOverride(scene.alice.engine, wanted)).rejects.toMatchObject({ code: 'override_unknown' });
    const audit = (await auditOf(scene)).filter(
      ({ details }) => (details as { override?: string }).override === proposal.overrideId,
    );
    expect(audit.map(({ action }) => action)).toEqual(['override', 'override_withdrawn']);
    expect((await propose(scene, 210_000n, orgId)).state).toBe('proposed');
  });
});

describe('explainOrg', () => {
  test('names the two people and the reason behind an overridden floor', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 250_000n, orgId);
    await approve(scene, overrideId);
    const why = await explainOrg(scene.cell.context, { dataCenter: scene.cell.dataCenter.id, orgId });
    expect(JSON.stringify(why, (_, value) => (typeof value === 'bigint' ? String(value) : value))).toContain(
      `Its floor was set by ${scene.alice.name} and approved by ${scene.bob.name}: usage`,
    );
  });
});

describe('proposeOverride', () => {
  test('rejects in the open window what the next run would raise again', async () => {
    const orgId = takeOrg();
    for (const floor of [149_999n, 0n, null])
      await expect(propose(scene, floor, orgId)).rejects.toMatchObject({
        code: 'override_refused',
        message: expect.stringContaining('is open'),
        next: expect.stringContaining('at least 150000'),
      });
    // below the floor, but not below today's legacy limit
    await scene.cell.sql('update public.orgs set agents = 200 where org_id = $1', [orgId]);
    expect((await propose(scene, 140_000n, orgId)).after.floor).toBe(140_000n);
  });

  test('rejects a second one while the first is open, and names it', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 200_000n, orgId);
    await expect(propose(scene, 300_000n, orgId)).rejects.toMatchObject({
      ...{ code: 'override_open', exitCode: 6 },
      message: expect.stringContaining(overrideId),
      next: expect.stringContaining(`approve ${overrideId}`),
    });
  });

  test('completes by the same command one that control does not know', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 200_000n, orgId);
    // as if the command had ended between the cell and control
    await scene.fleet.control(
      `set local session_replication_role = replica; delete from credit_rollout_control.cell_proposals
       where number = ${overrideId.split('-o')[1]} and kind = 'override'`,
    );
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'override_unknown' });
    await expect(propose(scene, 300_000n, orgId)).rejects.toMatchObject({ code: 'override_open' });
    expect(await propose(scene, 200_000n, orgId)).toMatchObject({ overrideId, state: 'proposed' });
    await expect(propose(scene, 200_000n, orgId)).rejects.toMatchObject({ code: 'override_open' });
    expect(await approve(scene, overrideId)).toMatchObject({ state: 'applied' });
  });

  test('lets one of several at the same moment through', async () => {
    const orgId = takeOrg();
    const floors = [200_000n, 300_000n, 400_000n];
    const outcomes = await Promise.allSettled(floors.map((floor) => propose(scene, floor, orgId)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(['conflict', 'override_open']).toContain(outcome.reason.code);
  });

  test.each<[string, string, string]>([
    ['that has no allotment', 'delete from credit_rollout.allotments', 'has no allotment'],
    ['that left the source', 'delete from public.orgs', 'has left the source'],
    ['that cannot be decided', 'update public.orgs set agents = null', 'null_agents'],
    [
      'whose floor has lapsed',
      `update credit_rollout.allotments set paid = false, unpaid_since = current_date - 31, grandfathered_credits = 0,
        total_credits = base_credits + variable_credits, winner = 'credits'`,
      'ended',
    ],
  ])('rejects an org %s', async (_, change, why) => {
    const orgId = takeOrg();
    await scene.cell.sql('update public.orgs set paid = false where org_id = $1', [orgId]);
    await scene.cell.rewritePast(`${change} where org_id = ${orgId}`);
    await expect(propose(scene, 200_000n, orgId)).rejects.toMatchObject({
      code: 'override_refused',
      message: expect.stringContaining(why),
    });
  });

  test('rejects what is so already, what cannot be stored, and orgs that are none', async () => {
    const orgId = takeOrg();
    await scene.cell.sql('update public.orgs set additional_credits = 1 where org_id = $1', [orgId]);
    await expect(propose(scene, 150_000n, orgId)).rejects.toMatchObject({ code: 'override_refused' });
    await expect(propose(scene, 2n ** 63n - 1n, orgId)).rejects.toMatchObject({
      message: expect.stringContaining('overflow'),
    });
    await expect(propose(scene, 1n, '999')).rejects.toMatchObject({ code: 'org_not_found' });
    await expect(propose(scene, 1n, 'seven')).rejects.toMatchObject({ code: 'invalid_org_id' });
  });
});
