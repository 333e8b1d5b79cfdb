// Latching a cut-over by hand: never before its instant, harmless when late or repeated, and it names who is in its
// way.
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { executeCutover, previewExecution } from '../../../src/engine/cutover/execute-cutover.js';
import { readCutovers } from '../../../src/engine/cutover/read-cutovers.js';
import { freeze, unfreeze } from '../../../src/engine/operate/freeze.js';
import { GATE_LOCK, LOCK_CLASS } from '../../../src/stores/cell/cell-database.js';
import { saveGateArmed } from '../../../src/stores/cell/cutover/gate.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { sealInCell } from '../../support/seal-in-cell.js';

let fleet: Fleet;
let dc = '';
beforeAll(async () => {
  fleet = await createFleet({ orgs: 50 });
  dc = fleet.cell(0).dataCenter.id;
});
afterAll(() => fleet.drop());

const setCutover = (minutes: number, stage: string): Promise<unknown> =>
  fleet.control(
    `set local session_replication_role = replica; update credit_rollout_control.data_centers set stage = '${stage}',
       cutover_at = clock_timestamp() + interval '${minutes} minutes', cutover_local = 'then', gate_configured_at = null,
       gate_effective_at = null, gate_latched_at = null`,
  );
beforeEach(async () => {
  await setCutover(-60, 'done');
  await fleet.cell(0).sql(`set local session_replication_role = replica;
    update credit_rollout.gate set configured_at = null, configured_set_at = null, armed_at = null, effective_at = null, latched_at = null, swept_at = null`);
});

const execute = () => executeCutover(fleet.engine, { dataCenter: dc, reason: 'no scheduler' });
const gateOf = async () => (await fleet.cell(0).sql('select * from credit_rollout.gate'))[0];
const arm = async (at: Date) => {
  const { cell } = fleet.cell(0);
  const seal = await sealInCell(cell, 'cutover', { at, local: 'then', set_at: new Date(0) });
  return cell.inTransaction('fencer', (tx) => saveGateArmed(tx, seal));
};

describe('executeCutover', () => {
  test('arms and latches one that is late, with an audit row, and reports it when it is repeated', async () => {
    expect((await readCutovers(fleet.engine, [dc]))[0]).toMatchObject({ state: 'late' });
    const report = await execute();
    expect(report).toMatchObject({ outcome: 'latched', holders: [] });
    expect(await gateOf()).toMatchObject({
      effective_at: report.effectiveAt,
      latched_at: report.latchedAt,
      swept_at: null,
    });
    // it was armed by hand only now: nothing is effective before that
    expect(Date.now() - (report.effectiveAt?.getTime() ?? 0)).toBeLessThan(60_000);
    expect(await execute()).toMatchObject({ outcome: 'already', latchedAt: report.latchedAt });
    expect(
      await fleet.control(`select action, reason from credit_rollout_control.audit where action = 'cutover'`),
    ).toEqual([{ action: 'cutover', reason: 'no scheduler' }]);
    expect((await readCutovers(fleet.engine, [dc]))[0]).toMatchObject({ state: 'latched', unreachable: null });
    const known = await fleet.control('select gate_latched_at from credit_rollout_control.data_centers');
    expect(known).toEqual([{ gate_latched_at: report.latchedAt }]);
  });

  test('latches an armed one whose instant has come, whatever the stage is now', async () => {
    await arm(new Date(Date.now() - 1_000));
    await setCutover(-60, 'pending');
    expect(await execute()).toMatchObject({ outcome: 'latched' });
  });

  test.each([
    ['before its instant', 60, 'done', 'has not come'],
    ['while its data center is not done', -60, 'baking', 'stage baking'],
  ])('rejects %s, and changes nothing', async (_case, minutes, stage, why) => {
    await setCutover(minutes, stage);
    const before = await gateOf();
    const rejected = { code: 'cutover_refused', exitCode: 6, message: expect.stringContaining(why) };
    await expect(previewExecution(fleet.engine, dc)).rejects.toMatchObject(rejected);
    await expect(execute()).rejects.toMatchObject(rejected);
    expect(await gateOf()).toEqual(before);
  });

  test('rejects an armed one before its effective instant', async () => {
    await arm(new Date(Date.now() + 3_600_000));
    await expect(execute()).rejects.toMatchObject({
      code: 'cutover_refused',
      message: expect.stringContaining('has not come'),
    });
    expect((await readCutovers(fleet.engine, [dc]))[0]).toMatchObject({ state: 'armed' });
  });

  test('rejects while the cell is frozen', async () => {
    await freeze(fleet.engine, { dataCenters: [dc], reason: null });
    await expect(execute()).rejects.toMatchObject({
      code: 'cutover_refused',
      message: expect.stringContaining('frozen'),
    });
    await unfreeze(fleet.engine, { dataCenters: [dc], reason: null });
    expect(await execute()).toMatchObject({ outcome: 'latched' });
  });

  test('names a sign-up that does not end, and latches once it has', async () => {
    await arm(new Date(Date.now() - 1_000));
    const signUp = new pg.Client({ connectionString: fleet.cell(0).url, application_name: 'shop' });
    await signUp.connect();
    await signUp.query('begin');
    await signUp.query('select pg_advisory_xact_lock_shared($1, $2)', [LOCK_CLASS, GATE_LOCK]);
    expect(await execute()).toMatchObject({ outcome: 'busy', holders: [{ application: 'shop' }] });
    const [shown] = await readCutovers(fleet.engine, [dc]);
    expect(shown).toMatchObject({ state: 'due', holders: [{ application: 'shop' }] });
    await signUp.end();
    expect(await execute()).toMatchObject({ outcome: 'latched' });
  });

  test('previews what it would do, and does nothing', async () => {
    const before = await gateOf();
    expect(await previewExecution(fleet.engine, dc)).toMatchObject({ state: 'late', cutoverLocal: 'then' });
    expect(await gateOf()).toEqual(before);
  });
});
