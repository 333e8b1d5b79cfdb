// An override is approved: by a second person, once, while nothing runs, and only when the row comes out right.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import {
  approve,
  auditOf,
  dropOwn,
  dropShared,
  makeScene,
  openShared,
  propose,
  rowOf,
  scene,
  takeOrg,
} from './overrides-scene.js';

beforeAll(openShared);
afterAll(dropShared);
afterEach(dropOwn);

describe('approveOverride', () => {
  test('rejects the author', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 200_000n, orgId);
    await expect(approve(scene, overrideId, scene.alice)).rejects.toMatchObject({ code: 'same_person', exitCode: 7 });
    expect(await rowOf(scene, orgId)).toMatchObject({ floor: '150000', version: 1 });
    await expect(
      scene.cell.sql(`update credit_rollout.overrides set approver = author where state = 'proposed'`),
    ).rejects.toMatchObject({ code: '23514' });
  });

  test('applies it once, however many approve', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 200_000n, orgId);
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => approve(scene, overrideId)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'override_decided' });
    expect(await rowOf(scene, orgId)).toMatchObject({ floor: '200000', version: 2 });
    const applied = (await auditOf(scene)).filter(
      ({ action, details }) =>
        action === 'override_applied' && (details as { override?: string }).override === overrideId,
    );
    expect(applied).toHaveLength(1);
  });

  test('knows no override that was never proposed', async () => {
    await expect(approve(scene, `${scene.cell.dataCenter.id}-o999`)).rejects.toMatchObject({
      code: 'override_unknown',
    });
  });

  test('waits until no run is under way or paused', async () => {
    const scene = await makeScene([{}]);
    const { overrideId } = await propose(scene, 200_000n);
    const { fleet, cell } = scene;
    await fleet.apply(cell);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'data_center_busy' });
    await tick(fleet.engine);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'data_center_busy' });
    await setIntent(fleet.engine, { dataCenter: cell.dataCenter.id, intent: 'pause', reason: null });
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'data_center_busy' });
    await setIntent(fleet.engine, { dataCenter: cell.dataCenter.id, intent: 'run', reason: null });
    expect(await fleet.drive()).toEqual(['done']);
    expect((await approve(scene, overrideId)).state).toBe('applied');
    await fleet.expectInvariants();
  });

  test('is rejected by the cell when only the cell knows of a run', async () => {
    const scene = await makeScene([{}]);
    const { overrideId } = await propose(scene, 200_000n);
    const reopen = `update credit_rollout.runs set state = 'open', ended_at = null`;
    await scene.cell.sql(reopen);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({
      code: 'data_center_busy',
      message: expect.stringContaining('a run is open'),
    });
    await scene.cell.sql(`update credit_rollout.fence set state = 'open'`);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ message: expect.stringContaining('fence') });
    expect(await rowOf(scene)).toMatchObject({ version: 1 });
  });

  test('rejects what would not hold any more since it was proposed', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 200_000n, orgId);
    await scene.cell.sql('update public.orgs set legacy_limit = 500000 where org_id = $1', [orgId]);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'override_refused' });
    expect(
      await scene.cell.sql('select state, before from credit_rollout.overrides where org_id = $1', [orgId]),
    ).toEqual([{ state: 'proposed', before: null }]);
  });

  test('writes nothing when the row comes out wrong: the independent statement checks first', async () => {
    const scene = await makeScene([{}]);
    const { overrideId } = await propose(scene, 200_000n);
    await scene.cell.sql(`create function public.falsify() returns trigger language plpgsql as $$ begin
      new.variable_credits := new.variable_credits + 1; new.total_credits := new.total_credits + 1; return new; end $$;
      create trigger falsify before update on credit_rollout.allotments for each row execute function public.falsify()`);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'verification_mismatch', exitCode: 5 });
    expect(await rowOf(scene)).toMatchObject({ floor: '150000', version: 1 });
    expect(await scene.cell.sql('select state from credit_rollout.overrides')).toEqual([{ state: 'proposed' }]);
    expect((await auditOf(scene)).map(({ action }) => action)).toEqual(['override', 'approve']);
  });

  test('writes nothing when the source moves in the middle', async () => {
    const scene = await makeScene([{}]);
    const { overrideId } = await propose(scene, 200_000n);
    await scene.cell.sql(`create function public.hire() returns trigger language plpgsql security definer as $$ begin
      update public.orgs set agents = agents + 100; return new; end $$;
      create trigger hire after update on credit_rollout.allotments for each row execute function public.hire()`);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'conflict' });
    expect(await rowOf(scene)).toMatchObject({ floor: '150000', version: 1 });
  });
});

describe('the table overrides', () => {
  test('keeps a decided override as it is, and deletes none', async () => {
    await approve(scene, (await propose(scene, 200_000n, takeOrg())).overrideId);
    for (const statement of [
      `update credit_rollout.overrides set approver = 'x' where state = 'applied'`,
      'delete from credit_rollout.overrides',
      'truncate credit_rollout.overrides cascade',
    ])
      await expect(scene.cell.sql(statement), statement).rejects.toMatchObject({ code: '23001' });
  });
});
