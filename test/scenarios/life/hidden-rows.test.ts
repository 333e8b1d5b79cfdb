// An org that fails wherever its id is read, and not only where its columns are: no reading of ids may pass it, and the
// life of all others goes on.
import { afterEach, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { previewDrift } from '../../../src/engine/reconcile/preview-drift.js';
import { findSourceRangeEnd, listKeys } from '../../../src/stores/cell/source-ranges.js';
import { openFeed } from '../../engine/feed/feed-cell.js';
import { applyAll, applyCanary, openRun, type TestCell } from '../../support/cell.js';
import { one, outcomes } from './many-orgs.js';
import { createLife, runNight } from './night.js';
import { createOddCell, makeOdd } from './odd-rows.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const ORGS = 70;
const UNKNOWN = `select count(*)::int from public.org_rows where edition = 'retired' and odd is null`;
const MIGRATED = 'select count(*)::int from credit_rollout.allotments';
const WAYS = ['no_number', 'raised', 'many_rows'] as const;

async function makeCell(shape: 'volatile' | 'from' | 'where', orgs = ORGS): Promise<TestCell> {
  const cell = await createOddCell(orgs, [], shape);
  dropped.push(cell.drop);
  return cell;
}
const unreadable = async (cell: TestCell): Promise<readonly unknown[]> =>
  (
    await cell.sql(`select distinct org_id from credit_rollout.quarantine
      where reason = 'unreadable' and run_id = (select max(run_id) from credit_rollout.runs) order by org_id`)
  ).map(({ org_id }) => org_id);
const correct = (cell: TestCell) => cell.sql('update public.org_rows set odd = null, odd_column = null');

describe('an org whose column is of a VOLATILE function', () => {
  test('is set aside alone in a plan, a run, a night, a sweep, the feed and a verification', async () => {
    const cell = await makeCell('volatile');
    const at = { dataCenter: cell.dataCenter.id };
    const odd = await makeOdd(cell, 7, 20, WAYS);
    await applyAll(cell, { batchSize: 50 });
    expect(await unreadable(cell)).toEqual(odd);
    expect(await one(cell, MIGRATED)).toBe(ORGS - odd.length - Number(await one(cell, UNKNOWN)));

    await correct(cell);
    await createLife(cell).cutOver();
    const newly = await makeOdd(cell, 8, 20, WAYS);
    await cell.sql('update public.org_rows set additional_credits = 50000 where org_id % 14 = 11');
    const caps = { maxChanged: null, maxLapsed: null, falls: 'within_limits' } as const;
    const preview = await previewDrift(cell.context, { ...at, caps, limit: 5 });
    const { runId } = await runNight(cell);
    const { found, healed } = await outcomes(cell, runId);
    expect(healed).toBe(found);
    expect(found).toBeGreaterThan(odd.length + 2);
    expect(preview.counts.reduce((sum, { orgs }) => sum + orgs, 0)).toBe(found);
    expect(await unreadable(cell)).toEqual(newly);
    expect(await verifyDataCenter(cell.context, at.dataCenter)).toMatchObject({
      mismatches: 0,
      unreadable: newly.length,
    });

    await openFeed(cell);
    await cell.sql(`update public.org_rows set updated_at = now() where odd is not null;
      update public.org_rows set additional_credits = 90000, updated_at = now() where org_id % 14 = 13 and paid`);
    expect(await feedChanges(cell.context, at.dataCenter, { pace: 'at_once' })).toMatchObject({ kind: 'read' });
    expect(
      await cell.sql(`select count(*)::int as n from credit_rollout.decided(null, null,
        array(select org_id from public.org_rows where org_id % 14 = 13), null) where movement = 'raise'`),
    ).toEqual([{ n: 0 }]);

    const swept = await runNight(cell, { kind: 'sweep' });
    expect(await unreadable(cell)).toEqual(newly);
    expect(await cell.sql('select credit_rollout.count_unswept($1)::int as n', [String(swept.runId)])).toEqual([
      { n: 0 },
    ]);
  });
});

test.each([
  ['a column is of a VOLATILE function', 'volatile'],
  ['a function in FROM fails', 'from'],
  ['a condition in WHERE fails', 'where'],
] as const)('an org for which %s is left out of a plan, or of its batch where it fails since', async (_, shape) => {
  const cell = await makeCell(shape, 60);
  const before = await makeOdd(cell, 28, 1, ['raised']);
  const epoch = await openRun(cell.cell, cell.card, { batchSize: 30 });
  const at = { dataCenter: cell.dataCenter.id, epoch, forMs: 60_000 };
  const odd = [...before, ...(await makeOdd(cell, 32, 9, WAYS))];
  await applyCanary(cell.cell, at);
  expect((await applyBatches(cell.context, at)).last).toEqual({ kind: 'nothing_pending' });
  expect(await unreadable(cell)).toEqual(odd);
  expect(await one(cell, MIGRATED)).toBe(60 - odd.length - Number(await one(cell, UNKNOWN)));
});

test('of many ids only some are listed, and an end of a range is found among them all the same', async () => {
  const cell = await makeCell('volatile', 20);
  await cell.sql(`insert into public.org_rows (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
    select n * 1000003::bigint, 'standard', true, 1, 0, 0, now() from generate_series(1::bigint, 4000) n`);
  await makeOdd(cell, 1000003, 1000003, WAYS);
  const [keys, ends] = await cell.cell.inTransaction('reader', async (tx) => [
    await listKeys(tx, { lowerId: null, upperId: null }),
    [
      await findSourceRangeEnd(tx, '1000003', { size: 1, mode: 'careful' }),
      await findSourceRangeEnd(tx, '1000003', { size: 500, mode: 'careful' }),
    ],
  ]);
  expect(keys.oneOf).toBe(16);
  expect(keys.ids.length).toBeGreaterThan(100);
  expect(keys.ids.length).toBeLessThan(600);
  expect(ends[0]).toBe('2000006');
  expect(Number(ends[1]) / 1000003).toBeGreaterThan(100);
  expect(Number(ends[1]) / 1000003).toBeLessThan(2_500);
});
