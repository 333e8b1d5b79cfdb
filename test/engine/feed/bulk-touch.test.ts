// One transaction of the product that touches every org: what a page reads, who goes first, what survives a restart.
// Counts rows, which a busy machine does not change.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkFeed } from '../../../src/engine/doctor/check-feed.js';
import { createFindingRecorder } from '../../../src/engine/doctor/finding.js';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import type { CellTransaction } from '../../../src/stores/cell/cell-database.js';
import { readFeed } from '../../../src/stores/cell/feed/feed.js';
import { addBulk, beginReading, listUpdated, readBulkPage } from '../../../src/stores/cell/feed/updated-orgs.js';
import { findSource } from '../../../src/stores/cell/setup/source.js';
import type { TestCell } from '../../support/cell.js';
import { countRead, createFedCell, edit, readTotal } from './feed-cell.js';

/** More than the feed lists. */
const TOUCHED = 20_500;
/** Orgs that have an allotment; the others have none, which the feed leaves alone. */
const DECIDED = 40;

let cell: TestCell;
beforeAll(async () => {
  cell = await createFedCell('updates', { orgs: Array.from({ length: DECIDED }, () => ({})) });
  await cell.sql(`insert into public.orgs (org_id, edition, paid, agents, created_at, updated_at)
    select n, 'standard', true, 300, '2024-03-01', '2024-03-01' from generate_series(${DECIDED + 1}, ${TOUCHED}) n`);
  await cell.sql('drop index public.orgs_updated_at_idx');
});
afterAll(() => cell.drop());

/** What doctor says. */
async function findFeed(): Promise<string> {
  const source = await cell.cell.asOwner((tx) => findSource(tx, 'public.orgs', cell.dataCenter.id));
  const recorder = createFindingRecorder({ subject: 'eu', title: 'Data center' }, 'change feed');
  const [finding] = await checkFeed({ cell: cell.cell, source }, recorder);
  return String(finding?.fix);
}

const readOrgs = (read: (tx: CellTransaction) => Promise<unknown>): Promise<number> => countRead(cell, 'orgs', read);

const touchAll = (): Promise<unknown> => cell.sql('update public.orgs set updated_at = now()');
const RAISE = 'additional_credits = coalesce(additional_credits, 0) + 1000';
const readRow = async (): Promise<Readonly<Record<string, unknown>> | undefined> =>
  (await cell.sql('select * from credit_rollout.feed'))[0];
const run = (): ReturnType<typeof feedChanges> => feedChanges(cell.context, cell.dataCenter.id, { pace: 'rests' });
const wake = (): Promise<unknown> =>
  cell.sql('update credit_rollout.feed set rest_until = null, backlog_rest_until = null');

describe('a transaction that touched every org', () => {
  test('is listed by the index that doctor asks for, and no further than the list goes', async () => {
    const fix = await findFeed();
    expect(fix).toMatch(/^Run: CREATE INDEX CONCURRENTLY ON public\.orgs \(updated_at\);$/u);
    await cell.sql(fix.replace('Run: ', ''));
    await touchAll();
    await cell.sql('vacuum analyze public.orgs');
    const plan = JSON.stringify(
      await cell.sql(`explain (format json) select u.org_id::text as id, u.updated_at::text as at
        from credit_rollout.list_updated(now() - interval '1 hour', '-infinity', now() + interval '1 minute', 20001) u`),
    );
    expect(plan).toContain('"Index Name":"orgs_updated_at_idx"');
    expect(plan).toContain('"Scan Direction":"Backward"');
    expect(plan).not.toContain('"Sort"');
    const list = (tx: CellTransaction): Promise<unknown> =>
      readFeed(tx).then(async ({ at }) => {
        const { past } = await beginReading(tx, at);
        return listUpdated(tx, { from: '2024-06-01', past }, { at, limit: 501 });
      });
    expect(await readOrgs(list)).toBeLessThanOrEqual(501);
  });

  test('is read by id: a page reads what it holds, and passes a bounded number where few were touched', async () => {
    const bulk = (from: string, to: string) => (tx: CellTransaction) =>
      addBulk(tx, { from, to }).then(() => readBulkPage(tx, 200, 'quick'));
    const touched = bulk('2024-06-01', '2100-01-01');
    expect(await readOrgs(touched)).toBeLessThanOrEqual(201);
    await cell.sql('update credit_rollout.feed set bulk_from = null, bulk_to = null');
    expect(await readOrgs(bulk('2100-01-01', '2100-01-01'))).toBeLessThanOrEqual(20_000);
    await cell.sql('update credit_rollout.feed set bulk_from = null, bulk_to = null');
  });

  test('waits behind an edit of one org, goes on after a restart, and ends', async () => {
    // seen an hour ago last, as if nothing had been read of it
    await cell.sql(
      `update credit_rollout.feed set read_from = clock_timestamp() - interval '10 minutes', page_size = 1000`,
    );
    await touchAll();
    await edit(cell, 7, RAISE);
    expect(await run()).toMatchObject({ kind: 'read', raised: 1 });
    expect((await readTotal(cell, 7))?.total).toBe('151000');
    const first = await readRow();
    expect(first?.bulk_from).not.toBe(null);
    const passed = Number(first?.bulk_after);
    expect(passed).toBeGreaterThan(0);
    // another process, before the rest is over
    await cell.sql(`update credit_rollout.feed set backlog_rest_until = clock_timestamp() + interval '100 s'`);
    expect((await run()).kind).toBe('read');
    expect((await readRow())?.bulk_after).toBe(first?.bulk_after);
    await wake();
    await edit(cell, 9, RAISE);
    expect(await run()).toMatchObject({ raised: 1 });
    expect(Number((await readRow())?.bulk_after)).toBeGreaterThan(passed);
    await feedChanges(cell.context, cell.dataCenter.id, { pace: 'at_once' });
    expect(await readRow()).toMatchObject({ bulk_from: null, bulk_to: null, bulk_after: null, failure: null });
  });

  test('is read once more from its beginning where orgs that were passed were touched again', async () => {
    await touchAll();
    await wake();
    await cell.sql('update credit_rollout.feed set page_size = 1000');
    await run();
    await edit(cell, 3, RAISE);
    await cell.sql('update public.orgs set updated_at = (select updated_at from public.orgs where org_id = 3)');
    await wake();
    await run();
    expect((await readRow())?.bulk_again_from).not.toBe(null);
    await feedChanges(cell.context, cell.dataCenter.id, { pace: 'at_once' });
    const [stored] = await cell.sql(`select a.additional_credits = o.additional_credits as same
      from credit_rollout.allotments a join public.orgs o using (org_id) where org_id = 3`);
    expect(stored).toEqual({ same: true });
    expect(await readRow()).toMatchObject({ bulk_from: null, bulk_again_from: null });
  });

  test('rests for every process, also after a search that took long', async () => {
    await cell.sql(`update credit_rollout.feed set rest_until = clock_timestamp() + interval '100 s'`);
    await edit(cell, 11, RAISE);
    const outcome = await run();
    expect(outcome).toMatchObject({ kind: 'read', read: 0, raised: 0 });
    expect(outcome.pauseMs).toBeGreaterThan(90_000);
    await wake();
    expect(await run()).toMatchObject({ raised: 1 });
  });
});
