// The ranges that are there as a fence opens: one for each lane, once, and nothing when they cannot be cut in time.
import { afterEach, describe, expect, test } from 'vitest';
import { cutFirstRanges } from '../../../src/engine/batch/cut-ranges.js';
import { createTestCell, openRun, type TestCell } from '../../support/cell.js';
import { fillCell } from '../../support/fleet.js';
import { expectInvariants } from '../../support/invariants.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/** A run of 100 orgs a batch and 3 lanes of which nothing is cut. */
async function makeUncut(orgs: number): Promise<{ readonly cell: TestCell; readonly runId: bigint }> {
  const cell = await createTestCell();
  dropped.push(cell.drop);
  await fillCell(cell, orgs);
  return { cell, runId: await openRun(cell.cell, cell.card, { batchSize: 100, lanes: 3 }) };
}

const cut = ({ cell }: TestCell, runId: bigint): Promise<void> =>
  cell.inTransaction('fencer', (tx) => cutFirstRanges(tx, runId));
const statesOf = async ({ sql }: TestCell): Promise<readonly unknown[]> =>
  (await sql('select state from credit_rollout.batches order by batch_no')).map(({ state }) => state);

describe('cutFirstRanges', () => {
  test('cuts one for each lane, and the rest stays uncut', async () => {
    const { cell, runId } = await makeUncut(1_000);
    await cut(cell, runId);
    expect(await statesOf(cell)).toEqual(['pending', 'pending', 'pending', 'uncut']);
    await expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }], except: [] });
  });

  test('cuts nothing more when it is called again', async () => {
    const { cell, runId } = await makeUncut(1_000);
    await cut(cell, runId);
    await cut(cell, runId);
    expect(await statesOf(cell)).toHaveLength(4);
  });

  test('ends a small run at once', async () => {
    const { cell, runId } = await makeUncut(150);
    await cut(cell, runId);
    expect(await statesOf(cell)).toEqual(['pending', 'pending']);
  });

  test('leaves it to the cutting job when the source is too slow', async () => {
    const { cell, runId } = await makeUncut(1_000);
    await cell.sql('alter table public.orgs rename to slow_orgs');
    await cell.sql('create view public.orgs as select s.* from public.slow_orgs s, pg_sleep(1) x');
    await cell.sql(`do $$ declare text text; begin
      select replace(pg_get_viewdef('credit_rollout.source_orgs'::regclass), 'slow_orgs', 'orgs') into text;
      execute 'create or replace view credit_rollout.source_orgs as ' || text; end $$`);
    await cut(cell, runId);
    expect(await statesOf(cell)).toEqual(['uncut']);
  });
});
