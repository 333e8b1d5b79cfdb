// An apply or an intent that does not fit what control knows is rejected, for all data centers that were named.
import { afterEach, describe, expect, test } from 'vitest';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { requestApply } from '../../../src/engine/rollout/request-rollout.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { explained } from '../../support/explained.js';
import { createFleet } from '../../support/fleet.js';
import { dropAll, dropped, makeCell } from './bad-input-scene.js';

afterEach(dropAll);

describe('an apply', () => {
  test('of a data center that control does not know is rejected', async () => {
    const fleet = await createFleet({ orgs: 10 });
    dropped.push(fleet.drop);
    const stranger = await makeCell();
    const cells = { get: (id: string) => (id === stranger.dataCenter.id ? stranger.cell : fleet.cell(0).cell) };
    const request = {
      config: fleet.config,
      card: stranger.card,
      dataCenters: [fleet.cell(0).dataCenter, stranger.dataCenter],
      reason: null,
    };
    await expect(explained(requestApply({ ...fleet.engine, cells }, request))).rejects.toMatchObject({
      code: 'not_initialised',
    });
    expect(await fleet.control('select requested_at from credit_rollout_control.data_centers')).toEqual([
      { requested_at: null },
    ]);
  });

  test('of a busy data center is rejected for all that were named, and one of two at once wins', async () => {
    const fleet = await createFleet({ cells: [{}, {}], orgs: 10 });
    dropped.push(fleet.drop);
    const results = await Promise.allSettled([fleet.apply(fleet.cell(0)), fleet.apply(fleet.cell(0))]);
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    await expect(fleet.apply(fleet.cell(0), fleet.cell(1))).rejects.toMatchObject({
      code: 'data_center_busy',
      exitCode: 6,
    });
    await tick(fleet.engine);
    await expect(fleet.apply(fleet.cell(0))).rejects.toMatchObject({ code: 'data_center_busy' });
    expect(
      await fleet.control(
        'select requested_at is null as idle from credit_rollout_control.data_centers order by position',
      ),
    ).toEqual([{ idle: false }, { idle: true }]);
    expect(await fleet.drive()).toEqual(['done', 'pending']);
    await fleet.expectInvariants();
  });

  test.each(['pause', 'run', 'abort'] as const)('%s is rejected where nothing is under way', async (intent) => {
    const fleet = await createFleet({ orgs: 10 });
    dropped.push(fleet.drop);
    await expect(
      setIntent(fleet.engine, { dataCenter: fleet.cell(0).dataCenter.id, intent, reason: null }),
    ).rejects.toMatchObject({ code: 'wrong_stage' });
    await expect(setIntent(fleet.engine, { dataCenter: 'mars', intent, reason: null })).rejects.toMatchObject({
      code: 'unknown_data_center',
    });
  });
});
