// What the tests of approvals share: a real control database, the logins of two people, and plans that one of them
// made.
import type { EngineContext } from '../../../src/engine/context.js';
import { approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { registerPlan } from '../../../src/engine/plan/register-plan.js';
import { findApproval, listPlanApprovals, useApproval } from '../../../src/stores/control/approvals.js';
import type { NewRegisteredPlan } from '../../../src/stores/control/plans.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople, type TestPerson } from '../../support/person.js';
import { sealTestPlan } from '../../support/sealed-plan.js';

export let fleet: Fleet;
let crowd: TestPeople;
export let alice: TestPerson;
export let bob: TestPerson;
export let dc = '';
let number = 0;

/** A fleet of two data centers and two people, for all tests of a file. */
export async function openApprovals(): Promise<void> {
  fleet = await createFleet({ cells: [{ orgs: [] }, { orgs: [] }] });
  crowd = await createPeople(fleet, 'alice', 'bob');
  [alice, bob] = crowd.people as [TestPerson, TestPerson];
  dc = fleet.cell(0).dataCenter.id;
  number = 0;
}
export async function closeApprovals(): Promise<void> {
  await crowd.drop();
  await fleet.drop();
}
/** Each test has plans of its own, newer than those before, and none of theirs is approved. */
export async function beginTest(): Promise<void> {
  number += 100;
  await fleet.control(`update credit_rollout_control.approvals set voided_at = now(), void_reason = 'the test is over'
    where used_at is null and voided_at is null`);
}
/** The next plans of this test have numbers from here. */
export function countFrom(first: number): void {
  number = first;
}

const COUNTS: NewRegisteredPlan['counts'] = {
  ...{ orgs: 10, first: 8, raises: 1, falls: 0, unchanged: 1, touched: 9, legacyWins: 2, paidFalling: 0 },
  ...{ unpaidFalling: 0, traps: 0, quarantined: 0, before: '1000', after: '9007199254740993', planCredits: '900' },
  ...{ grandfathered: '100', maxRaiseFactor: 1.5, maxFloorOverPlan: null, protectedTouched: 0, staleLeftOut: 0 },
};
export const PASSED = { rail: 'orgsTouched', value: '9', limit: '10', passes: true } as const;
export const BROKEN = { rail: 'maxRaiseFactor', value: '4.0', limit: '3', passes: false } as const;

/** A plan of alice's or of `by`, registered; `n` counts within the test. */
export async function registerTestPlan(
  n = 1,
  own: Partial<NewRegisteredPlan> = {},
  by: EngineContext = alice.engine,
): Promise<NewRegisteredPlan> {
  const unsealed = {
    planId: `${own.dataCenter ?? dc}-${number + n}`,
    dataCenter: dc,
    digest: String(n + 1).padStart(64, '0'),
    cardHash: 'card',
    author: alice.name,
    snapshotAt: '2026-11-22T14:02:11.123Z',
    counts: COUNTS,
    rails: [PASSED],
    ...own,
  };
  const plan: NewRegisteredPlan = { seal: await sealTestPlan(fleet.control, unsealed), ...unsealed };
  await registerPlan(by, plan);
  return plan;
}

export const approve = (person: TestPerson, { planId }: NewRegisteredPlan) =>
  approvePlan(person.engine, { planId, reason: 'seen' });
export const find = ({ planId }: NewRegisteredPlan) =>
  fleet.engine.control.inTransaction((tx) => findApproval(tx, planId));
export const use = (approvalId: bigint, runId: bigint): Promise<boolean> =>
  fleet.engine.control.inTransaction((tx) => useApproval(tx, approvalId, runId));
/** As the owner with the triggers off. */
export const moveExpiry = (approvalId: bigint, by: string): Promise<unknown> =>
  fleet.control(
    `set local session_replication_role = replica; update credit_rollout_control.approvals set approved_at = approved_at + interval '${by}', expires_at = expires_at + interval '${by}' where approval_id = ${approvalId}`,
  );
export const stateOf = async ({ planId }: NewRegisteredPlan): Promise<unknown> =>
  (await fleet.engine.control.inTransaction((tx) => listPlanApprovals(tx, planId))).map(({ state }) => state);
