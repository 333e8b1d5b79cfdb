// What a third review with the documented logins found, each as it was done: numbers below zero, writes that outlive a
// freeze, and settings of a session that decide what the source gives.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellRoleName } from '../../src/stores/cell/cell-database.js';
import { applyAll, createTestCell, type TestCell } from '../support/cell.js';
import { type CellLogins, createCellLogins } from './cell-logins.js';
import { REFUSED } from './cell-scene.js';

let cell: TestCell;
let logins: CellLogins;
let runId: bigint;
beforeAll(async () => {
  cell = await createTestCell({ view: true, orgs: [{}, {}, {}] });
  ({ runId } = await applyAll(cell));
  logins = await createCellLogins(cell);
  await cell.sql(`update credit_rollout.runs set state = 'open', ended_at = null`);
  await cell.sql(`update credit_rollout.fence set state = 'open', failure = null`);
});
afterAll(async () => {
  await logins.drop();
  await cell.drop();
});

describe('a worker', () => {
  test('stores no number below zero, under which a floor would be nothing', async () => {
    const fall = `update credit_rollout.allotments set additional_credits = -5000000,
      total_credits = base_credits + variable_credits + grandfathered_credits - 5000000 where org_id = 2`;
    expect(await logins.worker.attempt(fall)).toBe(REFUSED.check);
    expect(await cell.sql('select from credit_rollout.allotments where paid and total_credits < floor')).toEqual([]);
  });

  test('lowers no floor to what the view gives under the settings of its session', async () => {
    await cell.sql(`create or replace view public.orgs as select org_id,
      case when current_setting('timezone') = 'UTC' and current_setting('datestyle') = 'ISO, MDY' then edition
        else 'free' end as edition, paid, agents, light_agents, additional_credits, legacy_limit, created_at,
      updated_at, peak_credits from public.org_rows`);
    const take = `update credit_rollout.allotments a set edition = d.edition, floor = d.floor,
        floor_edition = d.floor_edition, base_credits = d.base_credits, variable_credits = d.variable_credits,
        grandfathered_credits = d.grandfathered_credits, total_credits = d.total_credits, winner = d.winner,
        concurrency_limit = d.concurrency_limit, legacy_limit = d.legacy_limit
      from credit_rollout.decided(null, null, '{2}', null) d where a.org_id = d.org_id`;
    const role = `set role "${cellRoleName(cell.dataCenter.id, 'worker')}"`;
    const cause = `select set_config('credit_rollout.cause', 'edition', false)`;
    for (const setting of [`timezone = 'Etc/GMT+12'`, `datestyle = 'German'`])
      expect(await logins.worker.attempt(role, cause, `set ${setting}`, take)).toBe(REFUSED.restriction);
  });
});

const RETIRE = () => `select credit_rollout.retire_allotments(${runId}, '{2}')`;
const RESTORE = () => `select credit_rollout.restore_retired(${runId}, '{2}')`;

describe('a freeze', () => {
  test.each([
    ['retire_allotments', RETIRE],
    ['restore_retired', RESTORE],
    ['write_sign_ups', () => 'select credit_rollout.write_sign_ups()'],
  ])('is not undercut by %s with an older snapshot', async (_what, call) => {
    for (const level of ['repeatable read', 'serializable'])
      expect(
        await logins.worker.attempt(
          `begin isolation level ${level}`,
          'select state from credit_rollout.fence',
          call(),
          'commit',
        ),
      ).toBe(REFUSED.state);
  });

  test.each([
    ['retire_allotments', RETIRE],
    ['restore_retired', RESTORE],
  ])('waits for a transaction that called %s before it', async (_what, call) => {
    const client = await logins.worker.connect();
    try {
      await client.query('begin');
      await client.query(call());
      const taken = 'select pg_try_advisory_xact_lock(1129467724, 0) as free';
      expect(await cell.sql(taken)).toEqual([{ free: false }]);
      await client.query('commit');
      expect(await cell.sql(taken)).toEqual([{ free: true }]);
    } finally {
      await client.end();
    }
  });

  test('finds in the history when a row was written, and not when its transaction began', async () => {
    const client = await logins.worker.connect();
    await client.query('begin');
    const began = (await client.query('select now()::text as now')).rows[0]?.now;
    await client.query('update credit_rollout.allotments set computed_at = clock_timestamp() where org_id = 2');
    await client.query('commit');
    await client.end();
    expect(
      await cell.sql('select from credit_rollout.allotment_changes where org_id = 2 and changed_at > $1', [began]),
    ).toHaveLength(1);
  });
});
