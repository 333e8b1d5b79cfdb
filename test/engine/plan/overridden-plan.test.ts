// A floor that two people change between plan and apply. The override wrote the org on the inputs of its day, so an
// apply keeps it, and lists the org as stale only where its number is not the planned one. On real Postgres.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { approveOverride } from '../../../src/engine/org/approve-override.js';
import { proposeOverride } from '../../../src/engine/org/override-proposals.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';

let fleet: Fleet;
let crowd: TestPeople;

/**
 * Four orgs of one branch, rolled out, with credits far above their floor of 25,000; then each gets ten agents more.
 */
beforeEach(async () => {
  fleet = await createFleet({ cells: [{ orgs: [1, 2, 3, 4].map(() => ({ agents: 10 })) }] });
  crowd = await createPeople(fleet, 'alice', 'bob');
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  await fleet.cell(0).sql('update public.orgs set agents = 20');
}, 60_000);
afterEach(async () => {
  await crowd.drop();
  await fleet.drop();
});

async function override(orgId: string, floor: bigint): Promise<void> {
  const [author, approver] = crowd.people;
  const dataCenter = fleet.cell(0).dataCenter.id;
  if (author === undefined || approver === undefined) throw new Error('two people are needed');
  const proposed = { dataCenter, orgId, floor, reason: 'usage' };
  const { overrideId } = await proposeOverride(author.engine, proposed);
  const id = parseProposalId(overrideId);
  if (id?.kind !== 'override') throw new Error(`no override: ${overrideId}`);
  await approveOverride(approver.engine, id, null);
}

const makePlan = async (): Promise<string> => (await fleet.plan(fleet.cell(0))).planId ?? '';
const readStale = () =>
  fleet
    .cell(0)
    .sql(
      `select org_id::int, reason, (planned ->> 'total_credits')::int as planned, (found ->> 'total_credits')::int as found, settled from credit_rollout.stale_orgs`,
    );
const readRows = () =>
  fleet
    .cell(0)
    .sql(
      'select org_id::int, agents::int, floor::int, total_credits::int as total from credit_rollout.allotments order by 1',
    );
const others = [1, 2, 3, 4].map((id) => ({ org_id: id, agents: 20, floor: 25_000, total: 55_000 }));
const withOrg = (own: (typeof others)[number]) => others.map((row) => (row.org_id === own.org_id ? own : row));

describe('a run that follows a plan', () => {
  test.each([
    ['an org of a range', 3],
    ['its canary', 1],
  ])('keeps the floor of %s that was overridden since; its number is the planned one', async (_, org) => {
    const planId = await makePlan();
    await override(String(org), 30_000n);
    await fleet.applyPlan(fleet.cell(0), planId);
    expect(await fleet.drive()).toEqual(['done']);
    expect(await readStale()).toEqual([]);
    expect(await readRows()).toEqual(withOrg({ org_id: org, agents: 20, floor: 30_000, total: 55_000 }));
    await fleet.expectInvariants();
  });

  test('keeps it too where the inputs were others on the day of the override', async () => {
    const planId = await makePlan();
    await fleet.cell(0).sql('update public.orgs set agents = 15 where org_id = 3');
    await override('3', 30_000n);
    await fleet.cell(0).sql('update public.orgs set agents = 20 where org_id = 3');
    await fleet.applyPlan(fleet.cell(0), planId);
    expect(await fleet.drive()).toEqual(['done']);
    expect(await readRows()).toEqual(withOrg({ org_id: 3, agents: 20, floor: 30_000, total: 55_000 }));
    await fleet.expectInvariants();
  });

  test('lists the org as stale where the override gave it another number than the planned one', async () => {
    const planId = await makePlan();
    await override('3', 80_000n);
    await fleet.applyPlan(fleet.cell(0), planId);
    expect(await fleet.drive()).toEqual(['done']);
    expect(await readStale()).toEqual([
      { org_id: 3, reason: 'changed', planned: 55_000, found: 80_000, settled: 'unchanged' },
    ]);
    expect(await readRows()).toEqual(withOrg({ org_id: 3, agents: 20, floor: 80_000, total: 80_000 }));
    await fleet.expectInvariants();
  });
});
