// A second apply of the same data center: it writes what changed, or nothing.
import { afterEach, describe, expect, test } from 'vitest';
import { count, dropAll, makeFleet } from './run-life-scene.js';

afterEach(dropAll);

describe('a second apply', () => {
  test('inserts what is new, raises what rose, counts falls without writing them, and leaves the rest untouched', async () => {
    const fleet = await makeFleet({ orgs: 500 });
    const cell = fleet.cell(0);
    await fleet.apply(cell);
    await fleet.drive();
    const rows = `select org_id, version, computed_at::text as at, total_credits from credit_rollout.allotments order by org_id`;
    const before = await cell.sql(rows);
    await cell.insertOrgs({ org_id: 9_001, created_at: '2024-03-01 12:00+00' });
    await cell.sql(`update public.orgs set additional_credits = additional_credits + 500 where org_id = 11`);
    await cell.sql(`update public.orgs set additional_credits = 0 where org_id = 18`);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['done']);
    const after = new Map((await cell.sql(rows)).map((row) => [row.org_id, row]));
    const changed = before.filter(
      (row) => after.get(row.org_id)?.version !== row.version || after.get(row.org_id)?.at !== row.at,
    );
    expect(changed.map((row) => row.org_id)).toEqual(['11']);
    expect(after.get('18')).toEqual(before.find((row) => row.org_id === '18'));
    expect(after.get('9001')?.version).toBe(1);
    expect(
      await cell.sql(`select sum(inserted)::int as inserted, sum(raised)::int as raised, sum(falls)::int as falls from credit_rollout.batches
      where run_id = (select max(run_id) from credit_rollout.runs)`),
    ).toEqual([{ inserted: 1, raised: 1, falls: 1 }]);
    await fleet.expectInvariants();
  });

  test('has nothing pending when nothing changed, and would write nothing', async () => {
    const fleet = await makeFleet({ orgs: 400 });
    const cell = fleet.cell(0);
    expect((await fleet.whatIf(cell)).counts.touched).toBeGreaterThan(0);
    await fleet.apply(cell);
    await fleet.drive();
    const { counts } = await fleet.whatIf(cell);
    expect(counts).toMatchObject({ touched: 0, first: 0, raises: 0, falls: 0 });
    const rows = 'select md5(string_agg(a::text, chr(10) order by org_id)) from credit_rollout.allotments a';
    const before = await cell.sql(rows);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['done']);
    expect(await cell.sql(rows)).toEqual(before);
    expect(await count(fleet, 'select count(*) from credit_rollout.allotment_changes')).toBe(0);
    await fleet.expectInvariants();
  });
});
