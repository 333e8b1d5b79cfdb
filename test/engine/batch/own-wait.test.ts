// How long our batches wait for a processor slows them where others work too, and not where they wait for each other.
// The server is shared with other tests, which work too: only what is far above that is told apart.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sampleChecks, watchOthers } from '../../../src/engine/batch/sample-checks.js';
import { createTestCell, openRun, type TestCell } from '../../support/cell.js';
import { fillCell } from '../../support/fleet.js';

let cell: TestCell;

beforeAll(async () => {
  cell = await createTestCell();
  await fillCell(cell, 100);
});
afterAll(() => cell.drop());

const SECOND = 1_000;

/** As if sessions had worked for `ms` in the last `seconds`. */
const markAgo = (seconds: number, ms: number): Promise<unknown> =>
  cell.sql(`update credit_rollout.throttle set looked_at = null, sampled_at = clock_timestamp(),
    writes_at = null, active_at = clock_timestamp() - make_interval(secs => ${seconds}),
    active_mark = (select sum(active_time) from pg_stat_database) - ${ms}`);

const active = async (): Promise<number | null> => {
  const [row] = await cell.sql(`select others_active from credit_rollout.throttle where scope = 'write'`);
  return (row?.others_active ?? null) as number | null;
};

test('while nothing is open, all sessions that work are of others', async () => {
  await watchOthers(cell.cell);
  expect(await active()).toBeNull();
  await markAgo(5, 50_000 * SECOND);
  await watchOthers(cell.cell);
  const counted = Number(await active());
  expect(counted).toBeGreaterThan(8_000);
  expect(counted).toBeLessThan(10_100);
  // too near to say more
  await markAgo(1, 50_000 * SECOND);
  await watchOthers(cell.cell);
  expect(await active()).toBe(counted);
  // nobody has counted for long, or the server has begun to count anew
  for (const [seconds, ms] of [
    [31, 50_000 * SECOND],
    [5, -50_000 * SECOND],
  ] as const) {
    await cell.sql('update credit_rollout.throttle set others_active = 1');
    await markAgo(seconds, ms);
    await watchOthers(cell.cell);
    expect(await active()).toBeNull();
  }
});

test('beside a run our lanes are taken off, and where nobody else works, it is not slowed by itself', async () => {
  const runId = await openRun(cell.cell, cell.card, { batchSize: 10, lanes: 32 });
  await cell.sql(`select credit_rollout.set_checks('[{"name": "probe", "limit": 20}]')`);
  await cell.sql('update credit_rollout.throttle set calm_writes = null');
  // three batches that took three times as long as on an idle processor
  await cell.sql(`update credit_rollout.batches set state = 'done', slowdown = 30, done_at = clock_timestamp()
    where run_id = ${runId} and batch_no in (select batch_no from credit_rollout.batches
      where run_id = ${runId} order by batch_no limit 3)`);
  const sample = async (): Promise<unknown> => {
    await cell.sql('update credit_rollout.throttle set looked_at = null, writes_at = null');
    expect(await sampleChecks(cell.cell, 0)).toBe(true);
    const [row] = await cell.sql(`select c.value >= 20 as slowed from credit_rollout.checks c where name = 'probe'`);
    return row;
  };
  // what was counted before the run holds at its begin
  const begin = (others: number | null): Promise<unknown> =>
    cell.sql(`update credit_rollout.throttle set others_active = ${others}, sampled_at = null, changed_at = null,
      active_at = clock_timestamp() - interval '3 s', active_mark = (select sum(active_time) from pg_stat_database)`);
  await begin(0.4);
  expect(await sample()).toEqual({ slowed: false });
  expect(await active()).toBe(0.4);
  for (const others of [0.5, null]) {
    await begin(others);
    expect(await sample()).toEqual({ slowed: true });
    expect(await active()).toBe(others);
  }
  // a hundred sessions work, of which ours are as many as the brake allows
  for (const [lanes, least, most] of [
    [1, 98, 110],
    [32, 67, 80],
  ] as const) {
    await markAgo(10, 1_000 * SECOND);
    await cell.sql(`update credit_rollout.throttle set lanes = ${lanes}`);
    await sample();
    expect(await active()).toBeGreaterThan(least);
    expect(await active()).toBeLessThan(most);
  }
  // from one sampling to the next
  await begin(0);
  await sample();
  expect(await active()).toBe(0);
  await cell.sql(`update credit_rollout.throttle set active_mark = active_mark - ${1_000 * SECOND},
    active_at = active_at - interval '10 s', sampled_at = sampled_at - interval '10 s'`);
  await sample();
  expect(await active()).toBeGreaterThan(60);
});
