// The alarms before a cut-over on real databases: written once, for an armed gate too, with the undecidable orgs
// counted.
import { afterEach, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../../src/engine/context.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { RolloutError } from '../../../src/kernel/rollout-error.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/** As if its cut-over, set long ago, were so near now: only an approved postponement moves it. */
async function bringNear(fleet: Fleet, hours: number): Promise<void> {
  await fleet.control(`alter table credit_rollout_control.data_centers disable trigger user;
    update credit_rollout_control.data_centers set cutover_at = clock_timestamp() + interval '${hours} hours',
      cutover_set_at = clock_timestamp() - interval '30 days';
    alter table credit_rollout_control.data_centers enable trigger user`);
  await fleet.cell(0).rewritePast('update credit_rollout.gate set configured_set_at = null');
}

const alarmsOf = (fleet: Fleet) =>
  fleet.control(
    `select kind, state, note from credit_rollout_control.due_work where kind <> 'reconcile' order by due_at`,
  );

/** The engine with what it warns of. */
function listen(engine: EngineContext): { readonly engine: EngineContext; readonly warned: string[] } {
  const warned: string[] = [];
  return { engine: { ...engine, log: { ...engine.log, warn: (event) => void warned.push(event) } }, warned };
}

/** Two of its 300 orgs are undecidable. */
async function makeFleet(): Promise<Fleet> {
  const fleet = await createFleet({ orgs: 300, sections: 'signups: { cutover: 2099-10-30 }' });
  dropped.push(fleet.drop);
  return fleet;
}

describe('the alarm 48 hours before a cut-over', () => {
  test('is written once for an armed gate too, without a warning, and counts the orgs that stay in quarantine', async () => {
    const fleet = await makeFleet();
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    await bringNear(fleet, 47.5);
    const { engine, warned } = listen(fleet.engine);
    await tick(engine);
    await tick(engine);
    const id = fleet.cell(0).dataCenter.id;
    const note = `it will be ready; undecidable orgs that keep today's number: 2 (credit-rollout quarantine --dc ${id})`;
    expect(await alarmsOf(fleet)).toEqual([{ kind: 'alarm_48h', state: 'ran', note }]);
    expect(warned).toEqual([]);
    expect(await fleet.control(`select reason from credit_rollout_control.audit where action = 'alarm_48h'`)).toEqual([
      { reason: note },
    ]);
    // armed: the second one would add nothing new
    await bringNear(fleet, 1);
    await tick(engine);
    expect((await alarmsOf(fleet)).filter(({ kind }) => kind === 'alarm_2h')).toEqual([]);
  });

  test('warns that it will not be ready, and that no run has counted undecidable orgs yet', async () => {
    const fleet = await makeFleet();
    await fleet.apply(fleet.cell(0));
    await bringNear(fleet, 47.5);
    const { engine, warned } = listen(fleet.engine);
    await tick(engine);
    expect(await alarmsOf(fleet)).toMatchObject([
      {
        kind: 'alarm_48h',
        note: expect.stringMatching(/^it will not be ready: .+; no run has checked for undecidable/u),
      },
    ]);
    expect(warned).toContain('cutover_alarm');
  });

  test('says so when the cell cannot be read', async () => {
    const fleet = await makeFleet();
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    await bringNear(fleet, 47.5);
    const cells: EngineContext['cells'] = {
      get: () => {
        throw new RolloutError('database_unreachable', { message: 'It is away.' });
      },
    };
    await tick({ ...fleet.engine, cells });
    expect(await alarmsOf(fleet)).toMatchObject([
      { note: expect.stringContaining('were not counted, its cell cannot be read (database_unreachable)') },
    ]);
  });
});
