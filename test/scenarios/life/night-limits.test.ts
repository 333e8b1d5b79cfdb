// Nights and their limits: outages, broken views and empty sources, where many orgs would fall, lapse or go.
import { afterEach, describe, expect, test } from 'vitest';
import { totalDrift } from '../../../src/domain/reconcile/drift-counts.js';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { detectDrift } from '../../../src/engine/reconcile/detect-drift.js';
import { check, leftOver, makeCell, one, outcomes } from './many-orgs.js';
import { closeNight, openNight, runNight } from './night.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

describe('limits of a night', () => {
  test('many lapses are a billing outage: all are proposed, none is written, and raises go on', async () => {
    const cell = await makeCell(dropped, 1_000);
    await cell.sql('update public.orgs set paid = false where org_id <= 40');
    await cell.sql(
      `update public.orgs set additional_credits = additional_credits + 5000 where org_id between 901 and 910`,
    );
    const { runId } = await runNight(cell);
    expect(
      await cell.sql(
        `select movement, outcome, count(*)::int as orgs from credit_rollout.drift where run_id = $1
      group by 1, 2 order by 1`,
        [String(runId)],
      ),
    ).toEqual([
      { movement: 'fall', outcome: 'proposed', orgs: 31 },
      { movement: 'raise', outcome: 'healed', orgs: 10 },
    ]);
    expect(
      await one(
        cell,
        'select count(*) from credit_rollout.allotments where unpaid_since is not null and org_id <= 40 and paid',
      ),
    ).toBe('0');
    expect(await one(cell, `select count(*) from credit_rollout.allotment_changes where cause = 'lapse'`)).toBe('0');
    const accepted = await runNight(cell, { falls: 'accepted' });
    expect(totalDrift(accepted.counts)).toMatchObject({ falls: 31, healed: 31, proposed: 0 });
    expect(await leftOver(cell)).toBe('0');
    await check(cell);
  });

  test('a night that would change more than maxChanged writes its raises and first decisions, and proposes every fall', async () => {
    const cell = await makeCell(dropped, 400);
    await cell.sql(
      'update public.orgs set additional_credits = additional_credits + 5000 where org_id between 1 and 20',
    );
    await cell.sql('update public.orgs set additional_credits = 0 where additional_credits = 10000 and org_id > 100');
    await cell.insertOrgs({ org_id: 5_000 });
    const { counts } = await runNight(cell, { maxChanged: 40 });
    expect(totalDrift(counts)).toMatchObject({ raises: 19, first: 1, falls: 32, healed: 20, proposed: 32 });
    const within = await runNight(cell, { maxChanged: 32 });
    expect(totalDrift(within.counts)).toMatchObject({ raises: 0, falls: 32, healed: 32, proposed: 0 });
    await check(cell);
  });

  test('many gone orgs are a broken view: none is retired', async () => {
    const cell = await makeCell(dropped, 400);
    await cell.sql('delete from public.orgs where org_id between 101 and 120');
    const broken = await runNight(cell);
    expect(totalDrift(broken.counts)).toMatchObject({ gone: 20, proposed: 20, healed: 0 });
    await cell.sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
      select n, 'standard', true, 300, 0, 0, '2024-03-01' from generate_series(101, 111) n`);
    const { runId, counts } = await runNight(cell);
    expect(totalDrift(counts)).toMatchObject({ gone: 9 });
    expect(
      await one(
        cell,
        `select count(*) from credit_rollout.drift where run_id = ${runId} and movement = 'gone' and outcome = 'healed'`,
      ),
    ).toBe('9');
    expect(
      await one(
        cell,
        'select count(*) from credit_rollout.allotments a where not exists (select from public.orgs o where o.org_id = a.org_id)',
      ),
    ).toBe('0');
  });

  test('an empty source retires nobody', async () => {
    const cell = await makeCell(dropped, 300);
    await cell.sql('delete from public.orgs');
    const { counts } = await runNight(cell);
    expect(totalDrift(counts)).toMatchObject({ gone: 298, healed: 0, proposed: 298 });
    expect(await one(cell, 'select count(*) from credit_rollout.allotments')).toBe('298');
  });

  test('a sweep writes no fall and no change of those that have an allotment', async () => {
    const cell = await makeCell(dropped, 300);
    await cell.sql('update public.orgs set additional_credits = 0, agents = agents + 50');
    const { counts } = await runNight(cell, { kind: 'sweep' });
    expect(counts).toEqual([]);
    expect(await one(cell, 'select count(*) from credit_rollout.allotment_changes')).toBe('0');
  });

  test('a lapse that comes between search and write does not slip past the limit on lapses', async () => {
    const cell = await makeCell(dropped, 300);
    await cell.sql('update public.orgs set additional_credits = 0 where org_id = 9');
    const epoch = await openNight(cell);
    const job = { dataCenter: cell.dataCenter.id, epoch };
    expect(await detectDrift(cell.context, job)).toBe('detected');
    await cell.sql('update public.orgs set paid = false where org_id = 9');
    await applyBatches(cell.context, { ...job, forMs: 60_000 });
    await closeNight(cell, epoch);
    expect(await outcomes(cell, epoch)).toMatchObject({ found: 1, healed: 0, unchanged: 1 });
    expect(await one(cell, 'select version from credit_rollout.allotments where org_id = 9')).toBe(1);
  });
});
