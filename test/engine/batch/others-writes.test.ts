// What others on the server write is counted in the cell: while nothing is open as what is usual, beside a run as what
// they lose by it. The server is shared with other tests, which write too: only what is far above that is told apart.
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

const MILLION = 1_000_000;

/** As if `count` transactions had been written in the last `seconds`; those of other tests come on top of it. */
const markAgo = (seconds: number, count: number): Promise<unknown> =>
  cell.sql(`update credit_rollout.throttle set looked_at = null,
    writes_mark = pg_snapshot_xmax(pg_current_snapshot())::text::int8 - ${count},
    writes_at = clock_timestamp() - make_interval(secs => ${seconds}) where scope = 'write'`);

const calm = async (): Promise<number | null> =>
  ((await cell.sql(`select calm_writes from credit_rollout.throttle where scope = 'write'`))[0]?.calm_writes ?? null) as
    | number
    | null;

test('while nothing is open, what they write is usual', async () => {
  await watchOthers(cell.cell);
  expect(await calm()).toBeNull();
  await markAgo(3, 6 * MILLION);
  await watchOthers(cell.cell);
  const usual = Number(await calm());
  expect(usual).toBeGreaterThan(1.5 * MILLION);
  expect(usual).toBeLessThan(2.1 * MILLION);
  // several workers: the mark of another is a moment old, and stays
  await watchOthers(cell.cell);
  expect(await calm()).toBe(usual);
  // a peak of a moment ago is not what is usual
  await markAgo(3, 0);
  await watchOthers(cell.cell);
  expect(await calm()).toBeLessThan(0.1 * usual);
  // nobody has counted for long, or the server is another one: not known
  for (const [seconds, count] of [
    [16, 6 * MILLION],
    [3, -MILLION],
  ] as const) {
    await cell.sql('update credit_rollout.throttle set calm_writes = 1');
    await markAgo(seconds, count);
    await watchOthers(cell.cell);
    expect(await calm()).toBeNull();
  }
});

test('beside a run it says what they lose: it begins with one lane, and slows', async () => {
  await openRun(cell.cell, cell.card, { batchSize: 10, lanes: 4 });
  await cell.sql(`select credit_rollout.set_checks('[{"name": "probe", "limit": 20}]')`);
  await cell.sql(`update credit_rollout.throttle set calm_writes = ${MILLION}`);
  const sample = async (count: number): Promise<unknown> => {
    await markAgo(1, count);
    expect(await sampleChecks(cell.cell, 0)).toBe(true);
    const [row] = await cell.sql(`select t.lanes, t.slowed, c.value >= 20 as failed from credit_rollout.throttle t,
      credit_rollout.checks c where t.scope = 'write' and c.name = 'probe'`);
    return row;
  };
  expect(await sample(2 * MILLION)).toEqual({ lanes: 1, slowed: true, failed: false });
  expect(await calm()).toBeGreaterThan(MILLION);
  expect(await sample(0)).toEqual({ lanes: 0.5, slowed: true, failed: true });
  expect(await sample(0)).toMatchObject({ lanes: 0.25 });
  // what is open is not watched as calm
  const before = await calm();
  await markAgo(3, 9 * MILLION);
  await watchOthers(cell.cell);
  expect(await calm()).toBe(before);
});
