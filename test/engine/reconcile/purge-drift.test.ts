// What nights found is purged when it is over; what people have not decided is not.
import { afterEach, describe, expect, test } from 'vitest';
import { startScheduler } from '../../../jobs/processes/scheduler.js';
import { connectQueue } from '../../../jobs/queue/connection.js';
import { approveOverride } from '../../../src/engine/org/approve-override.js';
import { proposeOverride } from '../../../src/engine/org/override-proposals.js';
import { previewDrift } from '../../../src/engine/reconcile/preview-drift.js';
import { purgeDrift } from '../../../src/engine/reconcile/purge-drift.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import { createLife, runNight } from '../../scenarios/life/night.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';
import { createPeople } from '../../support/person.js';
import { waitFor } from '../../support/wait.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/** Every cell rolled out, and swept before everything that is made older. */
async function makeFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  await fleet.apply(...fleet.cells);
  await fleet.drive();
  for (const cell of fleet.cells) await createLife(cell).cutOver('2023-01-01 00:00+00');
  return fleet;
}

/** Makes the runs and findings of a cell so many days older. */
const age = (fleet: Fleet, n: number, days: number): Promise<unknown> =>
  fleet.cell(n).sql(`begin; set local session_replication_role = replica;
    update credit_rollout.runs set ended_at = ended_at - interval '${days} days' where kind = 'reconcile';
    update credit_rollout.drift set found_at = found_at - interval '${days} days'; commit`);
const edit = (fleet: Fleet, n: number, set: string, orgs: string): Promise<unknown> =>
  fleet.cell(n).sql(`update public.orgs set ${set} where org_id ${orgs}`);
const kept = (fleet: Fleet, n = 0): Promise<readonly unknown[]> =>
  fleet.cell(n).sql('select run_id::int as run, org_id::int as org from credit_rollout.drift order by 1, 2');
const purge = (fleet: Fleet): Promise<number> => purgeDrift(fleet.engine, {});
const audited = (fleet: Fleet): Promise<readonly unknown[]> =>
  fleet.control(`select actor, details from credit_rollout_control.audit where action = 'forget_drift'`);
const enterprise = { edition: 'enterprise', agents: 25 };

describe('purgeDrift', () => {
  test('purges old findings in every cell, keeps young ones, and leaves one audit row', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 250 });
    for (const n of [0, 1]) {
      await edit(fleet, n, 'additional_credits = additional_credits + 500', 'between 101 and 105');
      await runNight(fleet.cell(n));
    }
    await age(fleet, 0, 401);
    await age(fleet, 1, 399);
    await edit(fleet, 0, 'additional_credits = additional_credits + 500', 'between 101 and 102');
    const { runId } = await runNight(fleet.cell(0));
    await runNight(fleet.cell(1));
    expect(await purge(fleet)).toBe(5);
    expect(await kept(fleet)).toEqual([101, 102].map((org) => ({ run: Number(runId), org })));
    expect(await kept(fleet, 1)).toHaveLength(5);
    expect(await audited(fleet)).toEqual([
      {
        actor: 'tester',
        details: { cells: { [fleet.cell(0).dataCenter.id]: 5, [fleet.cell(1).dataCenter.id]: 0 } },
      },
    ]);
    expect(await purge(fleet)).toBe(0);
    expect(await audited(fleet)).toHaveLength(1);
  });

  test('keeps the newest night, however old it is', async () => {
    const fleet = await makeFleet({ orgs: 150 });
    await edit(fleet, 0, 'additional_credits = additional_credits + 500', '= 101');
    await runNight(fleet.cell(0));
    await age(fleet, 0, 900);
    expect(await purge(fleet)).toBe(0);
    expect(await kept(fleet)).toHaveLength(1);
  });

  test('keeps a floor that is still proposed until two people have decided it', async () => {
    const fleet = await makeFleet({ cells: [{ orgs: [enterprise, {}] }] });
    const crowd = await createPeople(fleet, 'alice', 'bob');
    dropped.push(crowd.drop);
    const [alice, bob] = crowd.people;
    if (alice === undefined || bob === undefined) throw new Error('nobody came');
    const dataCenter = fleet.cell(0).dataCenter.id;
    await edit(fleet, 0, 'legacy_limit = 500000', '= 1');
    await edit(fleet, 0, 'additional_credits = additional_credits + 500', '= 2');
    const { runId } = await runNight(fleet.cell(0));
    await runNight(fleet.cell(0));
    await age(fleet, 0, 500);
    expect(await purge(fleet)).toBe(1);
    expect(await kept(fleet)).toEqual([{ run: Number(runId), org: 1 }]);
    const caps = { maxChanged: null, maxLapsed: null, falls: 'within_limits' } as const;
    const { waiting } = await previewDrift(alice.engine, { dataCenter, caps, limit: 10 });
    expect(waiting).toMatchObject([{ orgId: '1', proposedFloor: 500_000n }]);
    const { overrideId } = await proposeOverride(alice.engine, {
      dataCenter,
      orgId: '1',
      floor: 400_000n,
      reason: 'as much as we grant',
    });
    expect(await purge(fleet)).toBe(0);
    const id = parseProposalId(overrideId);
    if (id?.kind !== 'override') throw new Error(`no override: ${overrideId}`);
    await approveOverride(bob.engine, id, 'agreed');
    expect(await purge(fleet)).toBe(1);
    expect(await kept(fleet)).toEqual([]);
  });

  test('goes on with the other cells when one cannot be read', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 150 });
    for (const n of [0, 1]) {
      await edit(fleet, n, 'additional_credits = additional_credits + 500', '= 101');
      await runNight(fleet.cell(n));
      await age(fleet, n, 401);
      await runNight(fleet.cell(n));
    }
    await fleet
      .cell(0)
      .sql(
        `revoke execute on function credit_rollout.forget_drift from "credit_rollout_${fleet.cell(0).dataCenter.id}_fencer"`,
      );
    expect(await purge(fleet)).toBe(1);
    expect(await kept(fleet)).toHaveLength(1);
    expect(await kept(fleet, 1)).toEqual([]);
  });
});

describe('startScheduler', () => {
  test('purges old findings once it starts', async () => {
    const fleet = await makeFleet({ orgs: 150, queue: 'postgres' });
    await edit(fleet, 0, 'additional_credits = additional_credits + 500', '= 101');
    await runNight(fleet.cell(0));
    await age(fleet, 0, 401);
    await runNight(fleet.cell(0));
    expect(await kept(fleet)).not.toEqual([]);
    const scheduler = startScheduler(fleet.engine, connectQueue(fleet.queueUrl ?? ''));
    try {
      await waitFor('the finding to be purged', async () => (await kept(fleet)).length === 0);
    } finally {
      await scheduler.stop();
    }
  });
});
