// Approvals on a real control database with real logins: two people, one digest, 72 hours, one use.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../../src/engine/context.js';
import { approveInsideRails, approvePlan, listApprovals } from '../../../src/engine/plan/approve-plan.js';
import { registerPlan } from '../../../src/engine/plan/register-plan.js';
import { findApproval, useApproval } from '../../../src/stores/control/approvals.js';
import { deleteOldPlans, findRegisteredPlan, type NewRegisteredPlan } from '../../../src/stores/control/plans.js';
import { readDocument } from '../../docs/read-document.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople, type TestPerson } from '../../support/person.js';

let fleet: Fleet;
let crowd: TestPeople;
let alice: TestPerson;
let bob: TestPerson;
let dc = '';
let number = 0;

beforeAll(async () => {
  fleet = await createFleet({ cells: [{ orgs: [] }, { orgs: [] }] });
  crowd = await createPeople(fleet, 'alice', 'bob');
  [alice, bob] = crowd.people as [TestPerson, TestPerson];
  dc = fleet.cell(0).dataCenter.id;
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
});
// each test has plans of its own, newer than those before, and none of theirs is approved
beforeEach(async () => {
  number += 100;
  await fleet.control(`update credit_rollout_control.approvals set voided_at = now(), void_reason = 'the test is over'
    where used_at is null and voided_at is null`);
});

const COUNTS: NewRegisteredPlan['counts'] = {
  ...{ orgs: 10, first: 8, raises: 1, falls: 0, unchanged: 1, touched: 9, legacyWins: 2, paidFalling: 0 },
  ...{ unpaidFalling: 0, traps: 0, quarantined: 0, before: '1000', after: '9007199254740993', planCredits: '900' },
  ...{ grandfathered: '100', maxRaiseFactor: 1.5, maxFloorOverPlan: null, protectedTouched: 0, staleLeftOut: 0 },
};
const PASSED = { rail: 'orgsTouched', value: '9', limit: '10', passes: true } as const;
const BROKEN = { rail: 'maxRaiseFactor', value: '4.0', limit: '3', passes: false } as const;

/** A plan of alice's, registered; `n` counts within the test. */
async function makePlan(n = 1, own: Partial<NewRegisteredPlan> = {}): Promise<NewRegisteredPlan> {
  const plan: NewRegisteredPlan = {
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
  await registerPlan(alice.engine, plan);
  return plan;
}

const approve = (person: TestPerson, { planId }: NewRegisteredPlan) =>
  approvePlan(person.engine, { planId, reason: 'seen' });
const find = ({ planId }: NewRegisteredPlan) => fleet.engine.control.inTransaction((tx) => findApproval(tx, planId));
const use = (approvalId: bigint, runId: bigint): Promise<boolean> =>
  fleet.engine.control.inTransaction((tx) => useApproval(tx, approvalId, runId));
/** As the owner with the triggers off. */
const moveExpiry = (approvalId: bigint, by: string): Promise<unknown> =>
  fleet.control(
    `set local session_replication_role = replica; update credit_rollout_control.approvals set approved_at = approved_at + interval '${by}', expires_at = expires_at + interval '${by}' where approval_id = ${approvalId}`,
  );
const stateOf = async ({ planId }: NewRegisteredPlan): Promise<unknown> =>
  (await listApprovals(fleet.engine, 1_000)).filter((row) => row.planId === planId).map(({ state }) => state);
/** The SQLSTATE of a statement that is rejected. */
const refusal = (person: { sql: TestPerson['sql'] }, text: string): Promise<unknown> =>
  person.sql(text).then(
    () => undefined,
    (error: { code?: unknown }) => error.code,
  );
const owner = { sql: (text: string) => fleet.control(text) };

describe('registerPlan', () => {
  test('keeps what it is given, exactly', async () => {
    const plan = await makePlan(1, { rails: [PASSED, BROKEN] });
    const found = await fleet.engine.control.inTransaction((tx) => findRegisteredPlan(tx, plan.planId));
    expect(found).toMatchObject({ ...plan, snapshotAt: new Date(plan.snapshotAt), insideRails: false });
  });

  test('is idempotent, with one audit row', async () => {
    const plan = await makePlan();
    await registerPlan(bob.engine, plan);
    const rows = await fleet.control(
      `select actor, details ->> 'digest' as digest from credit_rollout_control.audit where action = 'plan' and details ->> 'plan' = $1`,
      [plan.planId],
    );
    expect(rows).toEqual([{ actor: alice.name, digest: plan.digest }]);
  });

  test('rejects the same id with another digest', async () => {
    const plan = await makePlan();
    await expect(registerPlan(alice.engine, { ...plan, digest: 'f'.repeat(64) })).rejects.toMatchObject({
      code: 'plan_conflict',
      exitCode: 6,
    });
  });

  test.each([
    ['a foreign data center in its id', { planId: 'elsewhere-1' }],
    ['a digest that is none', { digest: 'abc' }],
    ['a rail without a verdict', { rails: [{ rail: 'orgsTouched', value: '1', limit: '2' }] as never }],
  ])('rejects %s', async (_, own) => {
    await expect(makePlan(1, own)).rejects.toThrow();
  });
});

describe('approvePlan', () => {
  test('lets a second person approve: who it is says the database, for 72 hours, with an audit row', async () => {
    const plan = await makePlan();
    const { kind, approval } = await approve(bob, plan);
    expect(kind).toBe('given');
    expect(approval).toMatchObject({
      ...{ planId: plan.planId, digest: plan.digest, dataCenter: dc, kind: 'person', state: 'open', reason: 'seen' },
      ...{ author: alice.name, approver: bob.name, usedAt: null, voidedAt: null },
    });
    expect(approval.expiresAt.getTime() - approval.approvedAt.getTime()).toBe(72 * 3_600_000);
    expect(await find(plan)).toEqual(approval);
    const audit = await fleet.control(
      `select actor, data_center, reason, details from credit_rollout_control.audit where action = 'approve' and details ->> 'plan' = $1`,
      [plan.planId],
    );
    const details = { plan: plan.planId, digest: plan.digest, kind: 'person', author: alice.name };
    expect(audit).toEqual([{ actor: bob.name, data_center: dc, reason: 'seen', details }]);
  });

  test('rejects the author, and says how two people get past one login', async () => {
    const plan = await makePlan();
    await expect(approve(alice, plan)).rejects.toMatchObject({
      code: 'same_person',
      exitCode: 7,
      message: `The plan ${plan.planId} needs a second person: its author and its approver are both "${alice.name}".`,
      next: expect.stringContaining("CREATE ROLE somebody LOGIN PASSWORD '…' IN ROLE credit_rollout_operator;"),
    });
    expect(await find(plan)).toBeUndefined();
    const operations = await readDocument('docs/how-to/install-a-fleet.md');
    expect(operations).toContain('create role credit_rollout_operator nologin;');
    expect(operations).toContain('## People and logins');
  });

  test('is not fooled by an actor that a process names', async () => {
    const plan = await makePlan();
    const liar: EngineContext = { ...alice.engine, actor: 'mallory' };
    await expect(approvePlan(liar, { planId: plan.planId, reason: null })).rejects.toMatchObject({
      code: 'same_person',
    });
  });

  test('tells people apart by the user of the machine where everybody shares one login', async () => {
    await fleet.control('update credit_rollout_control.rollout set embedded = true');
    try {
      const plan = await makePlan(1, { author: 'ada' });
      const as = (actor: string): EngineContext => ({ ...fleet.engine, actor });
      const { planId } = plan;
      await expect(approvePlan(as('ada'), { planId, reason: null })).rejects.toMatchObject({
        code: 'same_person',
        next: expect.stringContaining('user of the machine'),
      });
      expect((await approvePlan(as('grace'), { planId, reason: null })).approval.approver).toBe('grace');
    } finally {
      await fleet.control('update credit_rollout_control.rollout set embedded = false');
    }
  });

  test('knows no plan that was never registered, nor one that its retention ended', async () => {
    const plan = await makePlan();
    await expect(approve(bob, { ...plan, planId: `${dc}-9999999` })).rejects.toMatchObject({ code: 'plan_unknown' });
    await fleet.control(
      `set local session_replication_role = replica; update credit_rollout_control.plans set registered_at = now() - interval '31 days' where plan_id = '${plan.planId}'`,
    );
    await fleet.engine.control.inTransaction((tx) => deleteOldPlans(tx, 30));
    await expect(approve(bob, plan)).rejects.toMatchObject({ code: 'plan_unknown' });
  });

  test('says when it was approved already, and writes nothing', async () => {
    const plan = await makePlan();
    const first = await approve(bob, plan);
    expect(await approve(bob, plan)).toMatchObject({ kind: 'known', approval: first.approval });
  });

  test('voids the older approval that is unused; planning voids nothing', async () => {
    const [old, newer] = [await makePlan(1), await makePlan(2)];
    await approve(bob, old);
    await makePlan(3);
    expect(await stateOf(old)).toEqual(['open']);
    expect((await approve(bob, newer)).voided).toEqual([old.planId]);
    expect(await stateOf(old)).toEqual(['voided']);
    expect(await find(old)).toBeUndefined();
    expect(await find(newer)).toBeDefined();
  });

  test('leaves the approvals of other data centers alone', async () => {
    const other = fleet.cell(1).dataCenter.id;
    const elsewhere = await makePlan(1, { dataCenter: other });
    await approve(bob, elsewhere);
    await approve(bob, await makePlan(2));
    expect(await stateOf(elsewhere)).toEqual(['open']);
  });

  test('rejects a plan older than one that is approved or was applied', async () => {
    const [old, newer] = [await makePlan(1), await makePlan(2)];
    const { approval } = await approve(bob, newer);
    await expect(approve(bob, old)).rejects.toMatchObject({ code: 'plan_superseded', exitCode: 6 });
    await use(approval.approvalId, 7n);
    await expect(approve(bob, old)).rejects.toMatchObject({
      code: 'plan_superseded',
      message: expect.stringContaining('was applied by run 7'),
    });
  });

  test('rejects a plan whose approval was used', async () => {
    const plan = await makePlan();
    await use((await approve(bob, plan)).approval.approvalId, 7n);
    await expect(approve(bob, plan)).rejects.toMatchObject({ code: 'plan_used', exitCode: 6 });
  });

  test('compares numbers, not texts: 100 is newer than 99', async () => {
    number = 1_000_000;
    const [old, newer] = [await makePlan(-1), await makePlan(0)];
    await approve(bob, newer);
    await expect(approve(bob, old)).rejects.toMatchObject({ code: 'plan_superseded' });
  });

  test('gives one of two approvals at the same moment', async () => {
    const plans = [await makePlan(1), await makePlan(2)];
    const outcomes = await Promise.allSettled(plans.map((plan) => approve(bob, plan)));
    const open = (await Promise.all(plans.map(find))).filter((row) => row !== undefined);
    expect(open).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(['conflict', 'plan_superseded']).toContain(outcome.reason.code);
  });
});

describe('approveInsideRails', () => {
  const byRails = (plan: NewRegisteredPlan) =>
    fleet.engine.control.inTransaction((tx) => approveInsideRails({ actor: 'scheduler' }, tx, plan.planId));

  test('approves a plan inside its guard-rails, without a person', async () => {
    const plan = await makePlan();
    expect(await byRails(plan)).toMatchObject({ kind: 'guard_rails', approver: null, author: alice.name });
  });

  test('approves no plan that breaks one; a second person can', async () => {
    const plan = await makePlan(1, { rails: [PASSED, BROKEN] });
    expect(await byRails(plan)).toBeUndefined();
    expect((await approve(bob, plan)).approval.kind).toBe('person');
  });
});

describe('useApproval', () => {
  test('uses an approval once, however many try', async () => {
    const plan = await makePlan();
    const { approval } = await approve(bob, plan);
    const used = await Promise.all([1n, 2n, 3n, 4n].map((run) => use(approval.approvalId, run)));
    expect(used.filter(Boolean)).toHaveLength(1);
    expect(await find(plan)).toBeUndefined();
    expect(await stateOf(plan)).toEqual(['used']);
  });

  test('uses none that expired; the plan can be approved again', async () => {
    const plan = await makePlan();
    const { approval } = await approve(bob, plan);
    await moveExpiry(approval.approvalId, '-72 hours');
    expect(await use(approval.approvalId, 7n)).toBe(false);
    expect(await find(plan)).toBeUndefined();
    expect(await stateOf(plan)).toEqual(['expired']);
    const again = await approve(bob, plan);
    expect(again).toMatchObject({ kind: 'given', voided: [] });
    expect(await use(again.approval.approvalId, 7n)).toBe(true);
    expect(await stateOf(plan)).toEqual(['used', 'voided']);
  });

  test('uses none that was voided', async () => {
    const old = await makePlan(1);
    const { approval } = await approve(bob, old);
    await approve(bob, await makePlan(2));
    expect(await use(approval.approvalId, 7n)).toBe(false);
  });
});

describe('the control database', () => {
  test('writes author, approver, digest and lifetime itself, whatever is inserted', async () => {
    const plan = await makePlan();
    await bob.sql(
      `insert into credit_rollout_control.approvals (plan_id, digest, data_center, kind, author, approver, approved_at, expires_at)
       values ($1, 'x', 'x', 'person', 'x', 'x', 'infinity', 'infinity')`,
      [plan.planId],
    );
    const found = await find(plan);
    expect(found).toMatchObject({ digest: plan.digest, author: alice.name, approver: bob.name });
    expect(Number(found?.expiresAt) - Number(found?.approvedAt)).toBe(72 * 3_600_000);
  });

  test('rejects the author by itself, with the setting that the embedded servers use too', async () => {
    const { planId } = await makePlan();
    const insert = `insert into credit_rollout_control.approvals (plan_id, kind) values ('${planId}', 'person')`;
    expect(await refusal(alice, insert)).toBe('23514');
    expect(await refusal(alice, `set local credit_rollout_control.person = 'mallory'; ${insert}`)).toBe('23514');
    expect(await refusal(alice, 'update credit_rollout_control.rollout set embedded = true')).toBe('42501');
  });

  test('rejects an approval by guard-rails that a plan breaks, and of a plan that it does not know', async () => {
    const { planId } = await makePlan(1, { rails: [BROKEN] });
    const insert = (id: string): string =>
      `insert into credit_rollout_control.approvals (plan_id, kind) values ('${id}', 'guard_rails')`;
    expect(await refusal(bob, insert(planId))).toBe('23514');
    expect(await refusal(bob, insert(`${dc}-8888888`))).toBe('23503');
  });

  test.each([
    ['another approver', `approver = 'x'`],
    ['a longer life', `expires_at = expires_at + interval '1 hour'`],
    ['another digest', `digest = 'x'`],
    ['another kind', `kind = 'guard_rails', approver = null`],
  ])('keeps approvals as they are: %s', async (_, change) => {
    const { approval } = await approve(bob, await makePlan());
    const update = `update credit_rollout_control.approvals set ${change} where approval_id = ${approval.approvalId}`;
    expect(await refusal(owner, update)).toBe('23001');
    expect(await refusal(bob, update)).toBe('42501');
  });

  test('lets a use or a void never be taken back or changed, nor both be', async () => {
    const { approval } = await approve(bob, await makePlan());
    await use(approval.approvalId, 7n);
    const set = (change: string): Promise<unknown> =>
      refusal(
        owner,
        `update credit_rollout_control.approvals set ${change} where approval_id = ${approval.approvalId}`,
      );
    expect(await set('used_at = null, used_by_run = null')).toBe('23001');
    expect(await set('used_by_run = 8')).toBe('23001');
    expect(await set(`voided_at = now(), void_reason = 'x'`)).toBe('23514');
  });

  test('rejects a use after the end by a check', async () => {
    const { approval } = await approve(bob, await makePlan());
    await moveExpiry(approval.approvalId, '-73 hours');
    const late = `update credit_rollout_control.approvals set used_at = now(), used_by_run = 7 where approval_id = ${approval.approvalId}`;
    expect(await refusal(owner, late)).toBe('23514');
  });

  test('deletes and truncates no approval; changes no plan', async () => {
    await makePlan();
    expect(await refusal(owner, 'delete from credit_rollout_control.approvals')).toBe('23001');
    expect(await refusal(owner, 'truncate credit_rollout_control.approvals')).toBe('23001');
    expect(await refusal(owner, `update credit_rollout_control.plans set author = 'x'`)).toBe('23001');
    expect(await refusal(owner, 'truncate credit_rollout_control.plans')).toBe('23001');
  });

  test('keeps approvals when their plans are purged', async () => {
    const plan = await makePlan();
    const { approval } = await approve(bob, plan);
    await alice.sql('delete from credit_rollout_control.plans where plan_id = $1', [plan.planId]);
    expect(await find(plan)).toEqual(approval);
  });
});
