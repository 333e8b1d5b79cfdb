// What a third review with the documented logins found, each as it was done: numbers below zero, writes that outlive a
// freeze, and settings of a session that decide what the source gives.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SOURCE_FUNCTIONS } from '../../migrations/cell/source-functions.js';
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

  test('has no setting that what reads the source for it would follow', async () => {
    const open = await cell.sql(
      `select p.proname from pg_proc p where p.pronamespace = 'credit_rollout'::regnamespace
         and p.proname = any ($1)
         and not coalesce(p.proconfig, '{}') @> '{TimeZone=UTC,"DateStyle=ISO, MDY",IntervalStyle=postgres}'`,
      [[...SOURCE_FUNCTIONS, 'check_floor_falls']],
    );
    expect(open).toEqual([]);
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
