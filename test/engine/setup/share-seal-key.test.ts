// The keys for seals: made once, the same in control and cell, changed on request, and repaired by another init.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runDoctorChecks } from '../../../src/engine/doctor/doctor.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { shareSealKey } from '../../../src/engine/setup/share-seal-key.js';
import { RolloutError } from '../../../src/kernel/rollout-error.js';
import { readSealFailure } from '../../../src/stores/seal.js';
import { allDone, createFleet, type Fleet } from '../../support/fleet.js';
import { approve, dropOwn, makeScene, propose, rowOf } from '../org/overrides-scene.js';

describe('the key of a data center', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await createFleet({ orgs: 200 });
  });
  afterAll(() => fleet.drop());

  const dc = () => fleet.cell(0).dataCenter.id;
  const keyOf = async () =>
    (
      await fleet.control(`select encode(inner_pad || outer_pad, 'hex') as key from credit_rollout_control.seal_keys`)
    )[0]?.key;
  const cellKey = async () =>
    (await fleet.cell(0).sql(`select encode(inner_pad || outer_pad, 'hex') as key from credit_rollout.seal_key`))[0]
      ?.key;
  const findings = async () =>
    (
      await runDoctorChecks(fleet.engine, {
        config: fleet.config,
        card: fleet.cell(0).card,
        dataCenters: fleet.config.dataCenters,
        queueCheck: async () => undefined,
      })
    ).filter(({ check }) => check === 'seals');

  test('is made once and is the same in both', async () => {
    const before = await keyOf();
    await shareSealKey(fleet.engine, dc(), 'existing');
    expect(await keyOf()).toBe(before);
    expect(await cellKey()).toBe(before);
    expect(await findings()).toMatchObject([{ level: 'ok' }]);
  });

  test('is another one after it was changed, and a rollout goes on with it', async () => {
    await fleet.apply(fleet.cell(0));
    await fleet.tickUntil('a plan to be asked for', async () => (await planRequests()).length > 0);
    const before = await keyOf();
    await shareSealKey(fleet.engine, dc(), 'new');
    expect(await keyOf()).not.toBe(before);
    expect(await cellKey()).toBe(await keyOf());
    expect(allDone(await fleet.drive())).toBe(true);
  });
  const planRequests = () => fleet.cell(0).sql('select plan_id from credit_rollout.plan_requests');

  test('that differs is found by doctor, stops what it would let through, and is repaired by init', async () => {
    await fleet.cell(0).sql(`update credit_rollout.seal_key set outer_pad = sha256('1') || sha256('2')`);
    expect(await findings()).toMatchObject([{ level: 'error', code: 'seal_wrong' }]);
    await fleet.apply(fleet.cell(0));
    await fleet.drive();
    await tick(fleet.engine);
    expect(await fleet.control('select code, value from credit_rollout_control.holds')).toEqual([
      { code: 'step_failing', value: 'register_plan: seal_wrong' },
    ]);
    await shareSealKey(fleet.engine, dc(), 'existing');
    expect(await findings()).toMatchObject([{ level: 'ok' }]);
    expect(allDone(await fleet.drive())).toBe(true);
    expect(await fleet.control('select from credit_rollout_control.holds')).toEqual([]);
  });

  test('that is missing is found too', async () => {
    await fleet.cell(0).sql('delete from credit_rollout.seal_key');
    expect(await findings()).toMatchObject([{ level: 'error' }]);
    await shareSealKey(fleet.engine, dc(), 'existing');
  });
});

describe('an override that waits in the cell while control does not know it', () => {
  afterEach(dropOwn);

  test('is not registered by init, whatever author it names', async () => {
    const scene = await makeScene([{}]);
    await scene.cell.sql(`insert into credit_rollout.overrides (org_id, floor, reason, author)
      values (1, 200000, 'x', 'alice')`);
    await shareSealKey(scene.fleet.engine, scene.cell.dataCenter.id, 'existing');
    expect(await scene.fleet.control('select from credit_rollout_control.cell_proposals')).toEqual([]);
  });

  test('from before control knew of any is registered under its author by init, and approved by somebody else', async () => {
    const scene = await makeScene([{}]);
    const { overrideId } = await propose(scene, 200_000n);
    // as an earlier version left it
    await scene.fleet.control(`set session_replication_role = replica;
      delete from credit_rollout_control.cell_proposals; set session_replication_role = origin`);
    await scene.cell.rewritePast('update credit_rollout.overrides set before_seals = true');
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'override_unknown' });
    await shareSealKey(scene.fleet.engine, scene.cell.dataCenter.id, 'existing');
    await expect(approve(scene, overrideId, scene.alice)).rejects.toBeInstanceOf(RolloutError);
    await approve(scene, overrideId);
    expect(await rowOf(scene)).toMatchObject({ floor: '200000' });
  });
});

describe('readSealFailure', () => {
  test('reads the constraint that a database named, and nothing else', () => {
    expect(readSealFailure({ code: '23001', constraint: 'seal_expired' })).toBe('seal_expired');
    expect(readSealFailure({ code: '55000', constraint: 'seal_key_missing' })).toBe('not_initialised');
    expect(readSealFailure({ code: '23001', constraint: 'another' })).toBeUndefined();
    expect(readSealFailure(new Error('seal_wrong'))).toBeUndefined();
  });
});
