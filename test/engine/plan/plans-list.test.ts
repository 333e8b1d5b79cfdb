// The list of the plans that were made: those of every cell, and of a cell that cannot be read.
import { afterEach, describe, expect, test } from 'vitest';
import { approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { secondCard } from '../../domain/rate-card/sample-card.js';
import { createPeople } from '../../support/person.js';
import { dropAll, dropped, list, makeFleet, plan } from './plans-scene.js';

afterEach(dropAll);

describe('listPlans', () => {
  test('has the plans of every cell, newest first, with what they come to', async () => {
    const fleet = await makeFleet({ cells: [{}, {}] });
    const made = [await plan(fleet, 0), await plan(fleet, 1), await plan(fleet, 0, secondCard)];
    const { plans, more, unreachable } = await list(fleet);
    expect(plans.map(({ planId }) => planId)).toEqual(made.toReversed());
    expect(plans[0]).toMatchObject({ found: 'cell', author: 'tester', cardHash: secondCard.hash, run: null });
    expect(plans[0]?.counts).toMatchObject({ orgs: 500, touched: 497, quarantined: 3 });
    expect({ more, unreachable }).toEqual({ more: false, unreachable: [] });
  });

  test('reports that there are older plans than were asked for', async () => {
    const fleet = await makeFleet();
    await plan(fleet);
    const second = await plan(fleet);
    const { plans, more } = await list(fleet, 1);
    expect({ ids: plans.map(({ planId }) => planId), more }).toEqual({ ids: [second], more: true });
  });

  test('shows the plans of a cell that cannot be read as control knows them', async () => {
    const fleet = await makeFleet({ cells: [{}, {}] });
    const [lost, kept] = [await plan(fleet, 0), await plan(fleet, 1)];
    const { id } = fleet.cell(0).dataCenter;
    await fleet.cell(0).sql('alter schema credit_rollout rename to away');
    const { plans, unreachable } = await list(fleet);
    expect(plans.map(({ planId, found }) => ({ planId, found }))).toEqual([
      { planId: kept, found: 'cell' },
      { planId: lost, found: 'unreadable' },
    ]);
    expect(plans[1]?.counts).toMatchObject({ orgs: 500, touched: 497 });
    expect(unreachable).toEqual([{ dataCenter: id, code: expect.any(String) }]);
  });

  test('marks a plan that its cell has lost', async () => {
    const fleet = await makeFleet();
    const planId = await plan(fleet);
    await fleet.cell(0).sql('delete from credit_rollout.plans');
    expect((await list(fleet)).plans).toMatchObject([{ planId, found: 'control' }]);
  });

  test('shows approvals and what they led to', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    const [applied, idle] = [await plan(fleet), await plan(fleet)];
    await fleet.applyPlan(cell, applied);
    expect(await fleet.drive()).toEqual(['done']);
    const { plans } = await list(fleet);
    const runId = plans[1]?.run?.runId;
    expect(plans).toMatchObject([
      { planId: idle, approval: null, run: null, insideRails: true },
      { planId: applied, approval: { state: 'used', usedByRun: runId }, run: { state: 'done' } },
    ]);
    expect(runId).toBeGreaterThan(0n);
  });

  test('does not take the approval of another plan of the same number for its own', async () => {
    const fleet = await makeFleet();
    const crowd = await createPeople(fleet, 'bob');
    dropped.push(crowd.drop);
    const planId = await plan(fleet);
    const [bob] = crowd.people;
    if (bob) await approvePlan(bob.engine, { planId, reason: null });
    expect((await list(fleet)).plans).toMatchObject([{ approval: { state: 'open', approver: bob?.name } }]);
    await fleet
      .cell(0)
      .sql(`set local session_replication_role = replica; update credit_rollout.plans set digest = repeat('a', 64)`);
    expect((await list(fleet)).plans).toMatchObject([{ planId, approval: null }]);
  });
});
