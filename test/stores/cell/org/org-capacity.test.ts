// What the product reads with its own plain role: a row for every org and never an error, one org without the others.
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { initCell } from '../../../../src/engine/setup/init-cell.js';
import { detachSource } from '../../../../src/stores/cell/setup/schema.js';
import { applyAll, createTestCell, type TestCell } from '../../../support/cell.js';
import { explained } from '../../../support/explained.js';

const PRODUCT = 'product_of_org_capacity_test';
let cell: TestCell;

beforeAll(async () => {
  cell = await createTestCell({
    orgs: [
      {}, // standard, paid, 300 agents: legacy 150,000
      { paid: false },
      { additional_credits: 10_000 },
      { edition: 'unheard_of' },
      { agents: null },
      { paid: false, legacy_limit: '9223372036854775807', additional_credits: 1 },
    ],
  });
  await cell.sql(`create role ${PRODUCT} login password 'x'`);
  await initAgain();
});

afterAll(async () => {
  await cell.sql(`drop owned by ${PRODUCT}; drop role ${PRODUCT}`);
  await cell.drop();
});

const initAgain = (grant: string | undefined = PRODUCT): Promise<unknown> =>
  initCell(cell.cell, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30, grant });

/** As the product's own login. */
async function readAsProduct(sql: string): Promise<readonly Record<string, unknown>[]> {
  const url = new URL(cell.url);
  url.username = PRODUCT;
  url.password = 'x';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const CAPACITIES = 'select org_id, model, capacity from credit_rollout.org_capacity order by org_id';

describe('org_capacity', () => {
  test('gives every org its number before and after, and null to the undecidable', async () => {
    expect(await readAsProduct(CAPACITIES)).toEqual([
      { org_id: '1', model: 'legacy', capacity: '150000' },
      { org_id: '2', model: 'legacy', capacity: '150000' },
      { org_id: '3', model: 'legacy', capacity: '160000' },
      { org_id: '4', model: 'legacy', capacity: null },
      { org_id: '5', model: 'legacy', capacity: null },
      { org_id: '6', model: 'legacy', capacity: null },
    ]);
    await applyAll(cell);
    expect((await readAsProduct(CAPACITIES)).map(({ model, capacity }) => [model, capacity])).toEqual([
      ['credits', '150000'],
      ['credits', '5000'],
      ['credits', '160000'],
      ['legacy', null],
      ['legacy', null],
      ['credits', '5001'],
    ]);
  });

  test('lets the product read it and the allotments, and nothing else', async () => {
    expect(await readAsProduct('select count(*)::int as n from credit_rollout.allotments')).toEqual([{ n: 4 }]);
    for (const relation of [
      'public.orgs',
      'credit_rollout.source_orgs',
      'credit_rollout.quarantine',
      'credit_rollout.fence',
    ])
      await expect(readAsProduct(`select * from ${relation}`), relation).rejects.toMatchObject({ code: '42501' });
  });

  test('keeps the product’s rights when the views are created again', async () => {
    await cell.cell.asOwner(detachSource);
    await expect(readAsProduct(CAPACITIES)).rejects.toMatchObject({ code: '42P01' });
    await initCell(cell.cell, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30 });
    expect(await readAsProduct(CAPACITIES)).toHaveLength(6);
  });

  test('finds one org by an index', async () => {
    await cell.sql(
      `insert into public.orgs select 1000 + i, 'standard', true, i, 0, 0, null, now() from generate_series(1, 5000) i`,
    );
    await cell.sql('analyze public.orgs');
    const plan = await cell.sql('explain (costs off) select * from credit_rollout.org_capacity where org_id = 3');
    const lines = plan.map((row) => String(row['QUERY PLAN']));
    expect(
      lines.filter((line) => /on (orgs|allotments)/u.test(line)).every((line) => line.includes('Index Scan')),
    ).toBe(true);
    expect(lines.some((line) => line.includes('Index Scan using orgs_pkey'))).toBe(true);
  });

  test('is planned in few parts, since the product plans it at each read', async () => {
    const plan = await cell.sql('explain (costs off) select * from credit_rollout.org_capacity where org_id = 3');
    // repeated terms for an org that is back made 66 sub-queries of it
    expect(plan.filter((row) => /^\s*InitPlan/u.test(String(row['QUERY PLAN'])))).toHaveLength(1);
  });

  test('names what depends on it when it cannot be created again', async () => {
    await cell.sql('create view public.of_mine as select * from credit_rollout.org_capacity');
    const failed = initCell(cell.cell, {
      dataCenter: { ...cell.dataCenter, zone: 'Europe/Berlin' },
      card: cell.card,
      lapseGraceDays: 30,
    });
    // nothing has to be created again, so nothing is in the way
    await expect(failed).resolves.toMatchObject({ attached: false });
    await cell.sql('alter table public.orgs drop constraint orgs_pkey'); // ids must be checked for duplicates now
    await expect(explained(initAgain())).rejects.toMatchObject({
      code: 'views_in_use',
      message: expect.stringContaining('of_mine'),
    });
    await cell.sql('drop view public.of_mine');
    await initAgain();
  });
});
