// Views of the product that change or fail under a plan: what nobody approved is not written, and one org that fails
// stops no other.
import { afterEach, expect, test } from 'vitest';
import { createCommandNames } from '../../../src/cli/terminal/command-names.js';
import { listStale } from '../../../src/cli/views/show-stale.js';
import { showVerification } from '../../../src/cli/views/show-verification.js';
import { showWhy } from '../../../src/cli/views/show-why.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { explainOrg } from '../../../src/engine/org/explain-org.js';
import { loadStoredReport } from '../../../src/engine/plan/load-stored-report.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

const made: Fleet[] = [];
afterEach(async () => {
  for (const fleet of made.splice(0)) await fleet.drop();
});
async function makeFleet(orgs: number): Promise<Fleet> {
  const fleet = await createFleet({ cells: [{ view: true }], orgs });
  made.push(fleet);
  return fleet;
}

/** The same columns, of which `agents` is computed otherwise. */
const replaceView = ({ cell }: Fleet, agents: string): Promise<unknown> =>
  cell(
    0,
  ).sql(`do $$ declare columns text := (select string_agg(case attname when 'agents' then $x$(${agents})::bigint$x$
      else quote_ident(attname) end || ' as ' || quote_ident(attname), ', ' order by attnum)
    from pg_attribute where attrelid = 'public.orgs'::regclass and attnum > 0);
    begin execute 'create or replace view public.orgs as select ' || columns || ' from org_rows'; end $$`);
const countFollowUps = async ({ cell }: Fleet): Promise<unknown> =>
  (await cell(0).sql(`select count(*)::int as n from credit_rollout.batches where kind = 'follow_up'`))[0]?.n;

test('a view that is replaced with the same columns after the plan was made is not followed up', async () => {
  const fleet = await makeFleet(300);
  const { planId } = await fleet.plan(fleet.cell(0));
  await replaceView(fleet, 'agents * 1000');
  await fleet.applyPlan(fleet.cell(0), String(planId));
  expect(await fleet.drive()).toEqual(['done']);
  expect(await countFollowUps(fleet)).toBe(0);
  const [wrong] = await fleet.cell(0).sql(`select count(*)::int as n from credit_rollout.allotments a
    join org_rows o on o.org_id = a.org_id where a.agents > o.agents`);
  expect(wrong).toEqual({ n: 0 });

  // and whoever asks is told why, since when, and what moves it
  const { id, zone } = fleet.cell(0).dataCenter;
  const commands = createCommandNames({ script: undefined, config: undefined });
  const again = `plan --dc ${id}`;
  const [dc] = (await readStatus(fleet.engine)).dataCenters;
  expect(dc?.progress).toMatchObject({ followUpSkippedAt: expect.any(Date) });
  const told = [
    dc === undefined ? '' : listStale(dc, commands).join('\n'),
    showWhy(await explainOrg(fleet.engine, { dataCenter: id, orgId: '1' }), zone, commands).replaceAll('\n', ' '),
    showVerification(await verifyDataCenter(fleet.engine, id), zone, commands).replaceAll('\n', ' '),
  ];
  for (const text of told) {
    expect(text).toMatch(/a view of the source, or a function that it calls, was replaced after the plan was made/u);
    expect(text).toMatch(/found 20\d\d-/u);
    expect(text).toContain(again);
  }
  const stored = { planId: String(planId), config: fleet.config, stale: 'none' } as const;
  const { outcome } = await loadStoredReport(fleet.engine, stored);
  expect(outcome?.actual).toMatchObject({ stale: dc?.progress?.stale, followUpSkippedAt: expect.any(Date) });
  // a rollout of a plan of the view as it is now writes them, and nothing is said any more
  await fleet.applyPlan(fleet.cell(0), String((await fleet.plan(fleet.cell(0))).planId));
  expect(await fleet.drive()).toEqual(['done']);
  expect((await readStatus(fleet.engine)).dataCenters[0]?.progress).toMatchObject({
    stale: 0,
    followUpSkippedAt: null,
  });
  expect(await explainOrg(fleet.engine, { dataCenter: id, orgId: '1' })).toMatchObject({ leftOut: null });
  expect(await verifyDataCenter(fleet.engine, id)).toMatchObject({ skippedFollowUp: null });
});

test('edits of the rows of a view that is the same are followed up', async () => {
  const fleet = await makeFleet(300);
  const { planId } = await fleet.plan(fleet.cell(0));
  await fleet.cell(0).sql('update org_rows set agents = agents + 1 where org_id <= 5');
  await fleet.applyPlan(fleet.cell(0), String(planId));
  expect(await fleet.drive()).toEqual(['done']);
  expect(await countFollowUps(fleet)).toBe(1);
});

test.each([
  ['a table that is not there', 'select seats from nowhere'],
  ['a function that is not there', 'select no_such_function(1)'],
])('one org whose dynamic SQL names %s is set aside', async (_, sql) => {
  const fleet = await makeFleet(200);
  await fleet
    .cell(0)
    .sql(`create function public.seats_of(org bigint, seats bigint) returns bigint language plpgsql stable
    as $f$ declare found bigint; begin if org = 77 then execute '${sql}' into found; end if; return seats; end $f$`);
  await replaceView(fleet, 'public.seats_of(org_id, agents)');
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  expect(
    await fleet
      .cell(0)
      .sql("select org_id::int as id, reason from credit_rollout.quarantine where reason = 'unreadable'"),
  ).toEqual([{ id: 77, reason: 'unreadable' }]);
});
