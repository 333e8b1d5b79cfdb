// A run that fails by a broken rule or a falsified row: what it leaves, and how it is retried; and an org that cannot
// be read, which fails nothing.
import { afterEach, describe, expect, test } from 'vitest';
import { isAcknowledged, setIntent } from '../../../src/engine/operate/set-intent.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { retryRun } from '../../../src/engine/rollout/retry-run.js';
import { count, dropAll, makeFleet } from './run-life-scene.js';

afterEach(dropAll);

describe('a broken rule', () => {
  test('writes nothing of the batch, closes the fence, fails the stage; retry finishes once the cause is gone', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    await cell.sql('alter table credit_rollout.allotments add constraint never_777 check (org_id <> 777)');
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await count(fleet, 'select count(*) from credit_rollout.allotments where org_id between 701 and 800')).toBe(
      0,
    );
    expect(await cell.sql('select state, failure from credit_rollout.fence')).toEqual([
      { state: 'closed', failure: 'never_777' },
    ]);
    expect(await fleet.control('select failure, quiet from credit_rollout_control.data_centers')).toEqual([
      { failure: 'never_777', quiet: true },
    ]);
    const before = await count(fleet, `select count(*) from credit_rollout.batches where state = 'done'`);
    await fleet.expectInvariants();
    await cell.sql('alter table credit_rollout.allotments drop constraint never_777');
    await retryRun(fleet.engine, cell.dataCenter.id, null);
    expect(await fleet.drive()).toEqual(['done']);
    expect(before).toBeLessThan(10);
    expect(await count(fleet, 'select count(distinct run_id) from credit_rollout.runs')).toBe(1);
    await fleet.expectInvariants();
  });

  test('fails again, not twice in a circle, when the cause is still there', async () => {
    const fleet = await makeFleet({ orgs: 200 });
    await fleet.cell(0).sql('alter table credit_rollout.allotments add constraint never_77 check (org_id <> 77)');
    await fleet.apply(fleet.cell(0));
    await fleet.drive();
    await retryRun(fleet.engine, fleet.cell(0).dataCenter.id, null);
    expect(await fleet.drive()).toEqual(['failed']);
    await fleet.expectInvariants();
  });

  test('that is retried, and then aborted before anything happened, ends as aborted', async () => {
    const fleet = await makeFleet({ orgs: 200 });
    const cell = fleet.cell(0);
    await cell.sql('alter table credit_rollout.allotments add constraint never_77 check (org_id <> 77)');
    await fleet.apply(cell);
    await fleet.drive();
    await retryRun(fleet.engine, cell.dataCenter.id, null);
    await setIntent(fleet.engine, { dataCenter: cell.dataCenter.id, intent: 'abort', reason: 'no' });
    expect(await fleet.drive()).toEqual(['aborted']);
    const again = { dataCenter: cell.dataCenter.id, intent: 'abort', reason: 'no' } as const;
    expect(isAcknowledged(await setIntent(fleet.engine, again))).toBe(true);
    await fleet.expectInvariants();
  });

  test('is found by the verification when a row was falsified; retry verifies again', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    await cell.sql(`create function public.falsify() returns trigger language plpgsql as $$ begin
      new.variable_credits := new.variable_credits + 1; new.total_credits := new.total_credits + 1; return new; end $$;
      create trigger falsify before insert on credit_rollout.allotments for each row when (new.org_id = 42) execute function public.falsify()`);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await fleet.control('select failure from credit_rollout_control.data_centers')).toEqual([
      { failure: 'verification_mismatch' },
    ]);
    await cell.sql(`drop trigger falsify on credit_rollout.allotments;
      update credit_rollout.allotments set variable_credits = variable_credits - 1, total_credits = total_credits - 1 where org_id = 42`);
    await retryRun(fleet.engine, cell.dataCenter.id, null);
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  });

  test('one unreadable org stops neither the batches nor the verification nor a plan', async () => {
    const fleet = await makeFleet({ cells: [{ view: true }], orgs: 300 });
    const cell = fleet.cell(0);
    await cell.sql(`create or replace view public.orgs as select org_id, edition, paid,
      case when org_id = 137 then 1 / (org_id - 137) else agents end as agents, light_agents, additional_credits, legacy_limit,
      created_at, updated_at, peak_credits from public.org_rows`);
    expect((await fleet.whatIf(cell)).quarantined).toContainEqual({
      reason: 'unreadable',
      orgs: 1,
    });
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['done']);
    expect(
      await cell.sql(`select reason, count(*)::int as orgs from credit_rollout.quarantine group by 1 order by 1`),
    ).toEqual([
      { reason: 'unknown_edition', orgs: 2 },
      { reason: 'unreadable', orgs: 1 },
    ]);
    expect((await verifyDataCenter(fleet.engine, cell.dataCenter.id)).mismatches).toBe(0);
    await fleet.expectInvariants();
  });
});
