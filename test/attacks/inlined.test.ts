// Kind 2. The rule is inlined into the query of every role that runs it, so that a key range reaches the product's
// index; a search path of its own would end that, so its names are resolved when it is made. What a login puts into
// pg_temp or before pg_catalog changes neither the plan nor the result.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyAll, createTestCell, type TestCell } from '../support/cell.js';
import { fillCell } from '../support/fleet.js';
import { type CellLogins, createCellLogins } from './cell-logins.js';
import { HOSTILE_NAMES } from './cell-scene.js';

let cell: TestCell;
let logins: CellLogins;
beforeAll(async () => {
  cell = await createTestCell();
  await fillCell(cell, 400);
  await applyAll(cell, { batchSize: 100 });
  await cell.sql('analyze public.orgs');
  logins = await createCellLogins(cell);
});
afterAll(async () => {
  await logins.drop();
  await cell.drop();
});

const RANGE = `'10'::credit_rollout.org_id, '60'::credit_rollout.org_id, null, null`;
const RESULT = (from: string): string =>
  `select pg_catalog.count(*) as orgs, pg_catalog.sum(total_credits) as credits from ${from}`;

describe.each(['worker', 'planner', 'reader', 'override'] as const)('the rule that a %s runs', (role) => {
  test.each([
    ['by itself', []],
    ['with a hostile pg_temp', HOSTILE_NAMES],
  ])('is inlined, and reads a key range by the index, %s', async (_what, before) => {
    const plans = await logins[role].read(
      ...before,
      `explain (costs off) select * from credit_rollout.decided(${RANGE})`,
    );
    const plan = plans.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).not.toMatch(/Function Scan on (?!jsonb_populate_record)/u);
    expect(plan).toMatch(/Scan using orgs_pkey on orgs|Bitmap Index Scan on orgs_pkey/u);
  });

  test.each([
    'credit_rollout.assessed(null)',
    'credit_rollout.decided(null, null, array[5]::credit_rollout.org_id[], null)',
    `credit_rollout.decided_first(${RANGE})`,
  ])('is inlined as %s too', async (call) => {
    const plans = await logins[role].read(...HOSTILE_NAMES, `explain (costs off) select * from ${call}`);
    expect(plans.map((row) => row['QUERY PLAN']).join('\n')).not.toMatch(/Function Scan on (assessed|decided)/u);
  });

  test('decides the same numbers with a hostile pg_temp, whatever is on the search path', async () => {
    const call = `credit_rollout.decided(${RANGE}) where reason is null`;
    const [honest] = await cell.sql(RESULT(call));
    expect(honest).toMatchObject({ orgs: '50' });
    expect(await logins[role].read(...HOSTILE_NAMES, RESULT(call))).toEqual([honest]);
  });
});

test('what the product reads in org_capacity does not change with its pg_temp', async () => {
  const sum =
    'select pg_catalog.count(*) as orgs, pg_catalog.sum(capacity) as credits from credit_rollout.org_capacity';
  const honest = await cell.sql(sum);
  expect(await logins.product.read(...HOSTILE_NAMES, sum)).toEqual(honest);
});
