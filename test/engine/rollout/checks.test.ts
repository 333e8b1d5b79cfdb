// Checks in a whole rollout: each holds what it holds, says why, and never makes a run fail.
import { afterEach, describe, expect, test } from 'vitest';
import { readMetrics } from '../../../src/engine/operate/read-metrics.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const holdsOf = (fleet: Fleet) =>
  fleet.control('select code, value, limit_value from credit_rollout_control.holds order by data_center, position');

describe('rollout.checks', () => {
  test('hold the start, the writes and the end of the bake, one after the other', async () => {
    const checks = `[{ name: calm, query: select fine from public.calm, holds: [start, bake] },
      { name: load, query: select value from public.load, limit: 100 }]`;
    const fleet = await createFleet({ orgs: 300, rollout: `{ batchSize: 100, checks: ${checks} }` });
    dropped.push(fleet.drop);
    const cell = fleet.cell(0);
    const serve = async (): Promise<void> => {
      await cell.sql(`insert into credit_rollout.workers (worker_id) values ('by hand')
        on conflict (worker_id) do update set seen_at = clock_timestamp()`);
      await fleet.serve();
    };
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['pending']);
    expect(await holdsOf(fleet)).toEqual([{ code: 'no_data', value: 'calm (42P01)', limit_value: '15 s' }]);
    await cell.sql(`create table public.calm (fine boolean); insert into public.calm values (false);
      create table public.load (value int); insert into public.load values (250);
      grant select on public.calm, public.load to public`);
    expect(await fleet.drive()).toEqual(['pending']);
    expect(await holdsOf(fleet)).toEqual([{ code: 'check_failed', value: 'calm false', limit_value: 'true' }]);

    await cell.sql('update public.calm set fine = true');
    await fleet.tickUntil('nothing is written', async () => {
      await serve();
      return (await holdsOf(fleet)).some(({ code }) => code === 'throttled');
    });
    expect(await cell.sql('select from credit_rollout.allotments')).toEqual([]);
    const [dc] = (await readStatus(fleet.engine)).dataCenters;
    expect(dc).toMatchObject({
      effectiveLanes: 0,
      checks: [{ name: 'load', standing: 'fail', value: 250, shown: 'load 250 of 100' }],
      holds: expect.arrayContaining([expect.objectContaining({ code: 'throttled', value: 'load 250', limit: '100' })]),
    });

    // an hour later it is held all the same, and not stalled
    await cell.sql(`update credit_rollout.fence set changed_at = changed_at - interval '1 hour'`);
    await fleet.tickUntil('it is only throttled', async () => {
      await serve();
      return (await holdsOf(fleet)).map(({ code }) => code).join() === 'throttled';
    });
    // nobody reads it during a pause: what was read before says nothing
    const passes = async (): Promise<readonly number[]> =>
      (await readMetrics(fleet.engine, 20_000)).flatMap(({ name, value }) => (name === 'check_passes' ? [value] : []));
    expect(await passes()).toEqual([0]);
    const pause = { dataCenter: cell.dataCenter.id, reason: 'a test' };
    await setIntent(fleet.engine, { ...pause, intent: 'pause' });
    await fleet.tickUntil('it is paused', async () => (await holdsOf(fleet)).some(({ code }) => code === 'paused'));
    expect(await passes()).toEqual([]);
    expect((await readStatus(fleet.engine)).dataCenters[0]).toMatchObject({ effectiveLanes: null });
    await setIntent(fleet.engine, { ...pause, intent: 'run' });

    await cell.sql(`update public.load set value = 10; update public.calm set fine = null;
      update credit_rollout.throttle set lanes = null, changed_at = null, sampled_at = null, looked_at = null`);
    expect(await fleet.drive()).toEqual(['baking']);
    expect(await holdsOf(fleet)).toEqual([{ code: 'no_data', value: 'calm (not_a_number)', limit_value: '15 s' }]);
    await cell.sql('update public.calm set fine = true');
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  });
});
