// Approvals that were given: used once, within 72 hours, and kept as they are by the control database itself.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestPerson } from '../../support/person.js';
import {
  alice,
  approve,
  BROKEN,
  beginTest,
  bob,
  closeApprovals,
  dc,
  find,
  fleet,
  moveExpiry,
  openApprovals,
  registerTestPlan,
  stateOf,
  use,
} from './approvals-scene.js';

beforeAll(openApprovals);
afterAll(closeApprovals);
beforeEach(beginTest);

/** The SQLSTATE of a statement that is rejected. */
const rejectionOf = (person: { sql: TestPerson['sql'] }, text: string): Promise<unknown> =>
  person.sql(text).then(
    () => undefined,
    (error: { code?: unknown }) => error.code,
  );
const owner = { sql: (text: string) => fleet.control(text) };

describe('useApproval', () => {
  test('uses an approval once, however many try', async () => {
    const plan = await registerTestPlan();
    const { approval } = await approve(bob, plan);
    const used = await Promise.all([1n, 2n, 3n, 4n].map((run) => use(approval.approvalId, run)));
    expect(used.filter(Boolean)).toHaveLength(1);
    expect(await find(plan)).toBeUndefined();
    expect(await stateOf(plan)).toEqual(['used']);
  });

  test('uses none that expired; the plan can be approved again', async () => {
    const plan = await registerTestPlan();
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
    const old = await registerTestPlan(1);
    const { approval } = await approve(bob, old);
    await approve(bob, await registerTestPlan(2));
    expect(await use(approval.approvalId, 7n)).toBe(false);
  });
});

describe('the control database', () => {
  test('writes author, approver, digest and lifetime itself, whatever is inserted', async () => {
    const plan = await registerTestPlan();
    const insert = `insert into credit_rollout_control.approvals
      (plan_id, digest, data_center, kind, author, approver, approved_at, expires_at)
      values ('${plan.planId}', 'x', 'x', 'person', 'x', 'x', 'infinity', 'infinity')`;
    expect(await rejectionOf(bob, insert)).toBe('42501');
    await fleet.control(insert);
    const found = await find(plan);
    expect(found).toMatchObject({ digest: plan.digest, author: alice.name });
    expect(found?.approver).not.toBe('x');
    expect(Number(found?.expiresAt) - Number(found?.approvedAt)).toBe(72 * 3_600_000);
  });

  test('rejects the author by itself, with the setting that the embedded servers use too', async () => {
    const { planId } = await registerTestPlan();
    const insert = `insert into credit_rollout_control.approvals (plan_id, kind) values ('${planId}', 'person')`;
    expect(await rejectionOf(alice, insert)).toBe('23514');
    expect(await rejectionOf(alice, `set local credit_rollout_control.person = 'mallory'; ${insert}`)).toBe('23514');
    expect(await rejectionOf(alice, 'update credit_rollout_control.rollout set embedded = true')).toBe('42501');
  });

  test('rejects an approval by guard-rails that a plan breaks, and of a plan that it does not know', async () => {
    const { planId } = await registerTestPlan(1, { rails: [BROKEN] });
    const insert = (id: string): string =>
      `insert into credit_rollout_control.approvals (plan_id, kind) values ('${id}', 'guard_rails')`;
    expect(await rejectionOf(bob, insert(planId))).toBe('23514');
    expect(await rejectionOf(bob, insert(`${dc}-8888888`))).toBe('23503');
  });

  test.each([
    ['another approver', `approver = 'x'`],
    ['a longer life', `expires_at = expires_at + interval '1 hour'`],
    ['another digest', `digest = 'x'`],
    ['another kind', `kind = 'guard_rails', approver = null`],
  ])('keeps approvals as they are: %s', async (_, change) => {
    const { approval } = await approve(bob, await registerTestPlan());
    const update = `update credit_rollout_control.approvals set ${change} where approval_id = ${approval.approvalId}`;
    expect(await rejectionOf(owner, update)).toBe('23001');
    expect(await rejectionOf(bob, update)).toBe('42501');
  });

  test('lets a use or a void never be taken back or changed, nor both be', async () => {
    const { approval } = await approve(bob, await registerTestPlan());
    await use(approval.approvalId, 7n);
    const set = (change: string): Promise<unknown> =>
      rejectionOf(
        owner,
        `update credit_rollout_control.approvals set ${change} where approval_id = ${approval.approvalId}`,
      );
    expect(await set('used_at = null, used_by_run = null')).toBe('23001');
    expect(await set('used_by_run = 8')).toBe('23001');
    expect(await set(`voided_at = now(), void_reason = 'x'`)).toBe('23514');
  });

  test('rejects a use after the end by a check', async () => {
    const { approval } = await approve(bob, await registerTestPlan());
    await moveExpiry(approval.approvalId, '-73 hours');
    const late = `update credit_rollout_control.approvals set used_at = now(), used_by_run = 7 where approval_id = ${approval.approvalId}`;
    expect(await rejectionOf(owner, late)).toBe('23514');
  });

  test('deletes and truncates no approval; changes no plan', async () => {
    await registerTestPlan();
    expect(await rejectionOf(owner, 'delete from credit_rollout_control.approvals')).toBe('23001');
    expect(await rejectionOf(owner, 'truncate credit_rollout_control.approvals')).toBe('23001');
    expect(await rejectionOf(owner, `update credit_rollout_control.plans set author = 'x'`)).toBe('23001');
    expect(await rejectionOf(owner, 'truncate credit_rollout_control.plans')).toBe('23001');
  });

  test('keeps approvals when their plans are purged', async () => {
    const plan = await registerTestPlan();
    const { approval } = await approve(bob, plan);
    expect(await rejectionOf(alice, `delete from credit_rollout_control.plans where plan_id = '${plan.planId}'`)).toBe(
      '42501',
    );
    await fleet.control('delete from credit_rollout_control.plans where plan_id = $1', [plan.planId]);
    expect(await find(plan)).toEqual(approval);
  });
});
