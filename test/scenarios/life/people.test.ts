// docs/reference/life-of-an-org.md, rows 25, 26, 35 and 46d: what a night proposes and two people decide.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { approveOverride } from '../../../src/engine/org/approve-override.js';
import { proposeOverride } from '../../../src/engine/org/override-proposals.js';
import { previewDrift } from '../../../src/engine/reconcile/preview-drift.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';
import { createLife, runNight } from './night.js';

const dropped: (() => Promise<void>)[] = [];
let fleet: Fleet;
let alice: TestPerson;
let bob: TestPerson;

/** Orgs 1 to 4 rolled out and swept. */
beforeAll(async () => {
  const orgs = [
    { edition: 'enterprise', agents: 25 },
    { edition: 'enterprise', agents: 25, legacy_limit: 2_000_000 },
    {},
    {},
  ];
  fleet = await createFleet({ cells: [{ orgs }] });
  dropped.push(fleet.drop);
  const crowd = await createPeople(fleet, 'alice', 'bob');
  dropped.push(crowd.drop);
  [alice, bob] = crowd.people as [TestPerson, TestPerson];
  await fleet.apply(fleet.cell(0));
  await fleet.drive();
  await createLife(fleet.cell(0)).cutOver();
});
afterAll(async () => {
  for (const drop of dropped.reverse()) await drop();
});

const night = async (orgId: number): Promise<readonly unknown[]> => {
  const { runId } = await runNight(fleet.cell(0));
  return fleet
    .cell(0)
    .sql('select cause, outcome, proposed_floor from credit_rollout.drift where run_id = $1 and org_id = $2', [
      String(runId),
      orgId,
    ]);
};
async function decide(orgId: number, floor: bigint, reason: string): Promise<void> {
  const dataCenter = fleet.cell(0).dataCenter.id;
  const { overrideId } = await proposeOverride(alice.engine, { dataCenter, orgId: String(orgId), floor, reason });
  const id = parseProposalId(overrideId);
  if (id?.kind !== 'override') throw new Error(`no override: ${overrideId}`);
  await expect(approveOverride(alice.engine, id, 'mine')).rejects.toMatchObject({ code: 'same_person' });
  await approveOverride(bob.engine, id, 'agreed');
}
const readCredits = (orgId: number): Promise<readonly unknown[]> =>
  fleet.cell(0).sql('select total_credits, floor from credit_rollout.allotments where org_id = $1', [orgId]);

/** What the dry run lists for people, without its instants. */
const waiting = async (): Promise<readonly unknown[]> => {
  const caps = { maxChanged: null, maxLapsed: null, falls: 'within_limits' } as const;
  const preview = await previewDrift(alice.engine, { dataCenter: fleet.cell(0).dataCenter.id, caps, limit: 10 });
  return preview.waiting.map(({ since: _, ...floor }) => floor);
};

describe('what people decide', () => {
  test('row 25: a floor that a night proposed for a late contract is set by two people', async () => {
    await fleet.cell(0).sql('update public.orgs set legacy_limit = 500000 where org_id = 1');
    expect(await night(1)).toEqual([{ cause: 'late input', outcome: 'proposed', proposed_floor: '500000' }]);
    expect(await waiting()).toEqual([{ orgId: '1', cause: 'late input', floor: 75_000n, proposedFloor: 500_000n }]);
    expect(await night(1)).toEqual([]);
    expect(await waiting()).toHaveLength(1);
    await decide(1, 500_000n, 'contract of June');
    expect(await waiting()).toEqual([]);
    expect(await readCredits(1)).toEqual([{ total_credits: '500000', floor: '500000' }]);
    expect(await night(1)).toEqual([]);
  });

  test('row 26: a deal that ended lowers the floor by two people only', async () => {
    await fleet.cell(0).sql('update public.orgs set legacy_limit = null where org_id = 2');
    expect(await night(2)).toEqual([{ cause: 'late input', outcome: 'proposed', proposed_floor: '75000' }]);
    expect(await readCredits(2)).toEqual([{ total_credits: '2000000', floor: '2000000' }]);
    await decide(2, 75_000n, 'the deal ended');
    expect(await readCredits(2)).toEqual([{ total_credits: '125000', floor: '75000' }]);
    expect(await night(2)).toEqual([]);
  });

  test('row 35: a floor by usage stays as it is through the nights', async () => {
    await decide(3, 400_000n, 'peak of 380,000 credits');
    await fleet.cell(0).sql('update public.orgs set agents = 100 where org_id = 3');
    await night(3);
    expect(await readCredits(3)).toEqual([{ total_credits: '400000', floor: '400000' }]);
  });

  test('row 46d: after a merger the survivor has the sum by two people, never by a night', async () => {
    await fleet.cell(0).sql('update public.orgs set agents = 600 where org_id = 4');
    await night(4);
    expect(await readCredits(4)).toEqual([{ total_credits: '200000', floor: '150000' }]);
    await decide(4, 300_000n, 'merged with another of 150,000');
    expect(await readCredits(4)).toEqual([{ total_credits: '300000', floor: '300000' }]);
    expect(await night(4)).toEqual([]);
  });
});
