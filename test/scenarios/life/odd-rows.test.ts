// One org that makes reading the source fail stops nothing that happens to the others, however it fails.
import { afterEach, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { writeSignUps } from '../../../src/engine/cutover/write-sign-ups.js';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { listUnreadable } from '../../../src/stores/cell/unreadable.js';
import { openFeed } from '../../engine/feed/feed-cell.js';
import { applyAll, applyCanary, openRun, type TestCell, type TestOrg } from '../../support/cell.js';
import { one, outcomes } from './many-orgs.js';
import { createLife, runNight } from './night.js';
import { createOddCell, makeOdd, type SHAPES } from './odd-rows.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const ORGS = 320;

async function makeCell(others: readonly TestOrg[] = [], orgs = ORGS, shape?: keyof typeof SHAPES): Promise<TestCell> {
  const cell = await createOddCell(orgs, others, shape);
  dropped.push(cell.drop);
  return cell;
}
const unreadable = async (cell: TestCell): Promise<readonly unknown[]> =>
  (await cell.sql(`select org_id from credit_rollout.quarantine where reason = 'unreadable' order by org_id`)).map(
    ({ org_id }) => org_id,
  );
const verify = (cell: TestCell) => verifyDataCenter(cell.context, cell.dataCenter.id);
const MIGRATED = `select count(*)::int from credit_rollout.allotments`;
const UNKNOWN = `select count(*)::int from public.org_rows where edition = 'retired'`;

const GREATEST = '9223372036854775807';
const READABLE: readonly TestOrg[] = [
  ...['infinity', '-infinity', '4714-11-24 00:00+00 BC', '294276-12-31 23:59+00'].map((at) => ({ created_at: at })),
  ...['infinity', '-infinity'].map((at) => ({ updated_at: at })),
  ...['', ' '.repeat(3), 'x'.repeat(100_000), '{"a":', '%s $1 :x ?', '\u202e'].map((edition) => ({ edition })),
  ...['agents', 'light_agents', 'additional_credits', 'legacy_limit', 'peak_credits'].flatMap((column) =>
    [GREATEST, '-9223372036854775808', '0', null].map((value) => ({ [column]: value })),
  ),
  { paid: null },
  { agents: GREATEST, light_agents: GREATEST, additional_credits: GREATEST, legacy_limit: GREATEST, paid: false },
];

describe('an org that cannot be read', () => {
  test('is left out of a plan and of its run, and named; all others are written and verified', async () => {
    // what can be read, and is odd all the same, has the ids from 2001 on
    const cell = await makeCell(READABLE.map((org, n) => ({ ...org, org_id: 2_001 + n })));
    const odd = await makeOdd(cell, 101, 1);
    await applyAll(cell, { batchSize: 100 });
    expect(await unreadable(cell)).toEqual(odd);
    const left = 'select count(*)::int from credit_rollout.quarantine where org_id > 2000';
    expect(await one(cell, `${MIGRATED} where org_id > 2000`)).toBe(READABLE.length - Number(await one(cell, left)));
    expect(await one(cell, `${MIGRATED} where org_id <= 2000`)).toBe(
      ORGS - odd.length - Number(await one(cell, UNKNOWN)),
    );
    expect(await verify(cell)).toMatchObject({ mismatches: 0, unaccounted: 0 });
  });

  test('since it was planned, is left out of its run', async () => {
    const cell = await makeCell();
    const epoch = await openRun(cell.cell, cell.card, { batchSize: 100 });
    const at = { dataCenter: cell.dataCenter.id, epoch, forMs: 60_000 };
    // the first orgs are canaries of their branch
    const odd = await makeOdd(cell, 1, 1);
    await applyCanary(cell.cell, at);
    expect((await applyBatches(cell.context, at)).last).toEqual({ kind: 'nothing_pending' });
    expect(await unreadable(cell)).toEqual(odd);
    expect(await one(cell, MIGRATED)).toBe(ORGS - odd.length - Number(await one(cell, UNKNOWN)) + 1);
    expect(await verify(cell)).toMatchObject({ mismatches: 0 });
  });

  test('keeps its allotment in a night, and the feed and the sign-ups go on beside it', async () => {
    const cell = await makeCell();
    await applyAll(cell, { batchSize: 100 });
    await createLife(cell).cutOver();
    const odd = await makeOdd(cell, 102, 2);
    await cell.sql('update public.org_rows set additional_credits = 50000 where org_id % 14 = 11');
    const { runId } = await runNight(cell);
    const { found, healed } = await outcomes(cell, runId);
    expect([found, healed]).toEqual([found, found]);
    expect(found).toBeGreaterThan(15);
    expect(await unreadable(cell)).toEqual(odd);
    expect(await verify(cell)).toMatchObject({ mismatches: 0, changedSince: 0, unreadable: odd.length });

    await openFeed(cell);
    await cell.sql(`update public.org_rows set updated_at = now() where odd is not null;
      update public.org_rows set additional_credits = 90000, updated_at = now() where org_id % 14 = 13 and paid`);
    expect(await feedChanges(cell.context, cell.dataCenter.id, { pace: 'at_once' })).toMatchObject({ kind: 'read' });
    expect(
      await cell.sql(`select count(*)::int as n from credit_rollout.decided(null, null,
        array(select org_id from public.org_rows where org_id % 14 = 13), null) where movement = 'raise'`),
    ).toEqual([{ n: 0 }]);

    await cell.sql(`insert into public.org_rows (org_id, edition, paid, agents, light_agents, additional_credits, created_at,
        odd, odd_column)
      select 1000 + r.org_id, 'standard', true, 1, 0, 0, now(), r.odd, r.odd_column from public.org_rows r
        where r.odd is not null;
      insert into public.org_rows (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
        select n, 'standard', true, 1, 0, 0, now() from generate_series(5001, 5030) n;
      insert into credit_rollout.sign_ups (org_id, model, decided_at)
        select org_id, 'credits', now() from public.org_rows where org_id > 1000;
      insert into credit_rollout.pending_sign_ups (org_id, noted_at, due_at)
        select org_id, now(), now() - interval '3 hours' + org_id * interval '1 second' from public.org_rows where org_id > 1000`);
    for (let rounds = 0; rounds < 5; rounds += 1) {
      await cell.sql('update credit_rollout.sign_up_writer set rest_until = null');
      await writeSignUps(cell.context, cell.dataCenter.id);
    }
    expect(await one(cell, 'select count(*)::int from credit_rollout.allotments where org_id > 5000')).toBe(30);
  });
});

describe('a small source of which no org can be read', () => {
  test('is told as a failure, quarantines nobody, and goes on once it is right', async () => {
    const cell = await makeCell([], 12);
    const epoch = await openRun(cell.cell, cell.card, { batchSize: 100 });
    const at = { dataCenter: cell.dataCenter.id, epoch, forMs: 60_000 };
    await applyCanary(cell.cell, at);
    await cell.sql(`update public.org_rows set odd = 'raised_conflict', odd_column = 'agents'`);
    await expect(applyBatches(cell.context, at)).rejects.toMatchObject({ code: '40001' });
    await expect(verify(cell)).rejects.toMatchObject({ code: '40001' });
    expect(await unreadable(cell)).toEqual([]);

    await cell.sql('update public.org_rows set odd = null, odd_column = null');
    expect((await applyBatches(cell.context, at)).last).toEqual({ kind: 'nothing_pending' });
    expect(await unreadable(cell)).toEqual([]);
    expect(await one(cell, MIGRATED)).toBe(12 - Number(await one(cell, UNKNOWN)));
  });

  test.each([
    ['under ten orgs, whose rows may all be odd', 9, null],
    ['a list, which may be of odd orgs only', 12, 'listed'],
  ] as const)('is not: %s', async (_, orgs, listed) => {
    const cell = await makeCell([], orgs);
    await cell.sql(`update public.org_rows set odd = 'raised', odd_column = 'agents'`);
    const ids = Array.from({ length: orgs }, (__, n) => String(n + 1));
    const range = { lowerId: null, upperId: null, onlyIds: listed && ids };
    expect(await cell.cell.inTransaction('reader', (tx) => listUnreadable(tx, range))).toEqual(ids);
  });
});
