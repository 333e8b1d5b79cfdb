// What the logins that work in runs wrote of their bookkeeping: ranges that left an approved run, a finished run that
// had to be verified again, a sweep that looked at nothing.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { armGate, latchGate } from '../../src/engine/cutover/gate.js';
import { auditCells } from '../../src/engine/scheduler/audit-cells.js';
import { systemClock } from '../../src/kernel/clock.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { sealInCell } from '../support/seal-in-cell.js';
import { type CellLogins, createCellLogins } from './cell-logins.js';
import { type CellScene, openCellScene, REFUSED } from './cell-scene.js';

describe('the batches of a run', () => {
  let scene: CellScene;
  beforeAll(async () => {
    scene = await openCellScene();
  });
  afterAll(() => scene.drop());
  afterEach(() => scene.close());

  const everyLogin = () =>
    Object.entries(scene.logins).flatMap(([, login]) =>
      typeof login === 'object' && 'attempt' in login ? [login] : [],
    );
  /** By each login that may write batches, as a pending batch has it and as a done one has it. */
  async function refusals(set: string): Promise<ReadonlySet<string>> {
    const results = await Promise.all(
      everyLogin().map((login) => login.attempt(`update credit_rollout.batches set ${set}`)),
    );
    return new Set(results);
  }

  test.each([
    ['run', 'run_id = 1'],
    ['number', 'batch_no = batch_no + 1000'],
    ['kind', `kind = 'repair'`],
    ['lower bound', 'lower_id = 19'],
    ['upper bound', 'upper_id = 2'],
    ['list of orgs', `org_ids = '{2}'`],
    ['expected orgs', 'expected = 1'],
    ['range of its plan', 'plan_range = 1'],
    ['cause', `cause = 'inputs'`],
  ])('keep their %s, whoever writes', async (_what, set) => {
    await scene.open();
    await scene.cell.rewritePast(`update credit_rollout.batches set state = 'pending', done_at = null`);
    const found = await refusals(set);
    await scene.cell.rewritePast(`update credit_rollout.batches set state = 'done', done_at = now()`);
    for (const result of found) expect([REFUSED.permission, REFUSED.restriction]).toContain(result);
  });

  test.each([
    `state = 'pending', done_at = null`,
    'orgs = 2147483647, inserted = 2147483647, raised = 0, unchanged = 0, stale = 0, quarantined = 0',
    `total_credits = '1e100000'`,
    'epoch = epoch + 1',
    `done_at = '2020-01-01'`,
  ])('that are done keep what they did: %s', async (set) => {
    await scene.open();
    for (const result of await refusals(set)) expect([REFUSED.permission, REFUSED.restriction]).toContain(result);
  });

  test('are not locked by those who write them', async () => {
    for (const login of everyLogin())
      expect(await login.attempt('begin', 'lock table credit_rollout.batches in access exclusive mode')).toBe(
        REFUSED.permission,
      );
  });

  const ERASE = `update credit_rollout.batches set verified_at = null, checked = null, mismatches = null,
    changed_since = null, appeared = null`;
  test.each(['done', 'aborted'])('of a run that is %s stay verified', async (state) => {
    await scene.cell.sql('update credit_rollout.runs set state = $1, ended_at = now()', [state]);
    for (const result of await refusals(ERASE.replace(/^update \S+ set /u, '')))
      expect([REFUSED.permission, REFUSED.restriction]).toContain(result);
  });

  test('of a run that failed can be verified again, as a retry needs it', async () => {
    await scene.cell.sql(`update credit_rollout.runs set state = 'failed', ended_at = now()`);
    expect(await scene.logins.operator.attempt(ERASE)).toBe('done');
    expect(await scene.logins.worker.attempt(ERASE)).toBe(REFUSED.restriction);
  });
});

describe('a sweep', () => {
  let fleet: Fleet;
  let logins: CellLogins;
  beforeAll(async () => {
    fleet = await createFleet({ orgs: 20 });
    logins = await createCellLogins(fleet.cell(0));
  });
  afterAll(async () => {
    await logins.drop();
    await fleet.drop();
  });

  test('whose worker looked at nothing is not marked as swept: it begins again', async () => {
    const cell = fleet.cell(0);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['done']);
    await cell.insertOrgs({ org_id: '500', created_at: '2020-01-01' });
    const at = new Date(systemClock.now().getTime() - 60_000);
    const seal = await sealInCell(cell.cell, 'cutover', { at, local: 'as configured', set_at: systemClock.now() });
    await armGate(cell.context, cell.dataCenter.id, seal);
    expect((await latchGate(cell.context, cell.dataCenter.id)).kind).toBe('latched');
    // as the scheduler's own look at cells at rest records it
    await auditCells(fleet.engine);
    const sweep = async (): Promise<string | undefined> =>
      (await cell.sql(`select run_id::text from credit_rollout.runs where kind = 'sweep' and state = 'open'`))[0]
        ?.run_id as string | undefined;
    await fleet.tickUntil('the sweep to begin', async () => (await sweep()) !== undefined);
    const run = await sweep();
    const passes = async (): Promise<unknown> =>
      (await cell.sql('select pass from credit_rollout.runs where run_id = $1', [run]))[0]?.pass;
    const setAside = `insert into credit_rollout.quarantine (run_id, org_id, reason, inputs)
      values (${run}, 500, 'REASON', '{}')`;
    // nothing; then what can be decided is set aside, for a reason of the rule, or as what cannot be read
    for (const [n, first] of ['select', setAside, setAside.replace('REASON', 'unreadable')].entries()) {
      await cell.rewritePast('delete from credit_rollout.quarantine');
      expect(
        await logins.worker.attempt(
          first.replace('REASON', 'null_edition'),
          `insert into credit_rollout.detections (run_id, pass) values (${run}, ${n + 1})`,
          `update credit_rollout.detections set ended_at = now() where run_id = ${run} and pass = ${n + 1}`,
          `select credit_rollout.add_repairs(${run}, 10)`,
        ),
      ).toBe('done');
      await fleet.tickUntil('the next pass', async () => (await passes()) === n + 2);
    }
    expect((await cell.sql('select swept_at from credit_rollout.gate'))[0]?.swept_at).toBeNull();
    await fleet.drive();
    expect(
      await cell.sql(`select g.swept_at is not null as swept, r.state, r.pass,
          exists (select from credit_rollout.allotments where org_id = 500) as found
        from credit_rollout.gate g, credit_rollout.runs r where r.run_id = ${run}`),
    ).toEqual([{ swept: true, state: 'done', pass: 5, found: true }]);
  });
});
