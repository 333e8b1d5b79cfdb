// Approvals on a real control database with real logins: two people, one digest, and the newest plan.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { showApproval } from '../../../src/cli/views/show-approval.js';
import { actAs } from '../../../src/engine/act-as.js';
import type { EngineContext } from '../../../src/engine/context.js';
import { approveInsideRails, approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { registerPlan } from '../../../src/engine/plan/register-plan.js';
import { insertApproval } from '../../../src/stores/control/approvals.js';
import { deleteOldPlans, findRegisteredPlan, type NewRegisteredPlan } from '../../../src/stores/control/plans.js';
import { readDocument } from '../../docs/read-document.js';
import { waitFor } from '../../support/wait.js';
import {
  alice,
  approve,
  BROKEN,
  beginTest,
  bob,
  closeApprovals,
  countFrom,
  dc,
  find,
  fleet,
  openApprovals,
  PASSED,
  registerTestPlan,
  stateOf,
  use,
} from './approvals-scene.js';

beforeAll(openApprovals);
afterAll(closeApprovals);
beforeEach(beginTest);

describe('registerPlan', () => {
  test('keeps what it is given, exactly', async () => {
    const plan = await registerTestPlan(1, { rails: [PASSED, BROKEN] });
    const found = await fleet.engine.control.inTransaction((tx) => findRegisteredPlan(tx, plan.planId));
    const { seal: _, ...kept } = plan;
    expect(found).toMatchObject({ ...kept, snapshotAt: new Date(plan.snapshotAt), insideRails: false });
  });

  test('is idempotent, with one audit row', async () => {
    const plan = await registerTestPlan();
    await registerPlan(bob.engine, plan);
    const rows = await fleet.control(
      `select actor, details ->> 'digest' as digest from credit_rollout_control.audit where action = 'plan' and details ->> 'plan' = $1`,
      [plan.planId],
    );
    expect(rows).toEqual([{ actor: alice.name, digest: plan.digest }]);
  });

  test('says which way a seal went that control does not accept', async () => {
    const { seal, ...plan } = await registerTestPlan();
    const other = { ...plan, planId: `${plan.dataCenter}-9${plan.planId.replace(/\D/gu, '')}` };
    await expect(registerPlan(alice.engine, { ...other, seal })).rejects.toMatchObject({
      code: 'seal_wrong',
      message: expect.stringContaining(`does not accept the seal of plan ${other.planId}`),
    });
  });

  test('rejects the same id with another digest', async () => {
    const plan = await registerTestPlan();
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
    await expect(registerTestPlan(1, own)).rejects.toThrow();
  });
});

describe('approvePlan', () => {
  test('reads a plan whose guard-rails an earlier version did not check', async () => {
    const plan = await registerTestPlan();
    const odd = [PASSED, { rail: 'jane', value: 'acme', passes: true }, { rail: 'orgsTouched', passes: true }];
    await fleet.control(`set local session_replication_role = replica;
      update credit_rollout_control.plans set rails = '${JSON.stringify(odd)}',
        snapshot_at = 'infinity' where plan_id = '${plan.planId}'`);
    const approval = await approve(bob, plan);
    expect(approval.plan).toMatchObject({ rails: [PASSED], snapshotAt: approval.plan.registeredAt });
    expect(showApproval(approval, 'status', 100)).toContain(plan.planId);
    // a card of the author's own is told from the one that everybody knows
    const another = 'which is another than the one of the first apply';
    for (const [pinnedCard, told] of [
      ['f'.repeat(64), true],
      [approval.plan.cardHash, false],
      [null, false],
    ] as const)
      expect(showApproval({ ...approval, pinnedCard }, 'status', 100).includes(another)).toBe(told);
  });

  test('lets a second person approve, as the database names them, for 72 hours, with an audit row', async () => {
    const plan = await registerTestPlan();
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

  test('rejects the author, and explains what two people with one login can do', async () => {
    const plan = await registerTestPlan();
    await expect(approve(alice, plan)).rejects.toMatchObject({
      code: 'same_person',
      exitCode: 7,
      message: `The plan ${plan.planId} needs a second person: its author and its approver are both "${alice.name}".`,
      next: expect.stringContaining("CREATE ROLE somebody LOGIN PASSWORD '…' IN ROLE credit_rollout_control_approver;"),
    });
    expect(await find(plan)).toBeUndefined();
    const operations = await readDocument('docs/how-to/install-a-fleet.md');
    expect(operations).toContain('grant credit_rollout_control_approver to bob;');
    expect(operations).toContain('## People and logins');
  });

  test('does not trust an actor that a process names', async () => {
    const plan = await registerTestPlan();
    const liar: EngineContext = { ...alice.engine, actor: 'mallory' };
    await expect(approvePlan(liar, { planId: plan.planId, reason: null })).rejects.toMatchObject({
      code: 'same_person',
    });
  });

  test('tells people apart by the user of the machine where everybody shares one login', async () => {
    await fleet.control('update credit_rollout_control.rollout set embedded = true');
    try {
      const as = (actor: string): EngineContext => actAs(fleet.engine, actor);
      const plan = await registerTestPlan(1, {}, as('ada'));
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

  test('rejects a plan that was never registered, and one whose retention ended', async () => {
    const plan = await registerTestPlan();
    await expect(approve(bob, { ...plan, planId: `${dc}-9999999` })).rejects.toMatchObject({ code: 'plan_unknown' });
    await fleet.control(
      `set local session_replication_role = replica; update credit_rollout_control.plans set registered_at = now() - interval '31 days' where plan_id = '${plan.planId}'`,
    );
    await fleet.engine.control.inTransaction((tx) => deleteOldPlans(tx, 30));
    await expect(approve(bob, plan)).rejects.toMatchObject({ code: 'plan_unknown' });
  });

  test('shows when it was approved already, and writes nothing', async () => {
    const plan = await registerTestPlan();
    const first = await approve(bob, plan);
    expect(await approve(bob, plan)).toMatchObject({ kind: 'known', approval: first.approval });
  });

  test('voids the older approval that is unused; planning voids nothing', async () => {
    const [old, newer] = [await registerTestPlan(1), await registerTestPlan(2)];
    await approve(bob, old);
    await registerTestPlan(3);
    expect(await stateOf(old)).toEqual(['open']);
    expect((await approve(bob, newer)).voided).toEqual([old.planId]);
    expect(await stateOf(old)).toEqual(['voided']);
    expect(await find(old)).toBeUndefined();
    expect(await find(newer)).toBeDefined();
  });

  test('leaves the approvals of other data centers alone', async () => {
    const other = fleet.cell(1).dataCenter.id;
    const elsewhere = await registerTestPlan(1, { dataCenter: other });
    await approve(bob, elsewhere);
    await approve(bob, await registerTestPlan(2));
    expect(await stateOf(elsewhere)).toEqual(['open']);
  });

  test('rejects a plan older than one that is approved or was applied', async () => {
    const [old, newer] = [await registerTestPlan(1), await registerTestPlan(2)];
    const { approval } = await approve(bob, newer);
    await expect(approve(bob, old)).rejects.toMatchObject({ code: 'plan_superseded', exitCode: 6 });
    await use(approval.approvalId, 7n);
    await expect(approve(bob, old)).rejects.toMatchObject({
      code: 'plan_superseded',
      message: expect.stringContaining('was applied by run 7'),
    });
  });

  test('rejects a plan whose approval was used', async () => {
    const plan = await registerTestPlan();
    await use((await approve(bob, plan)).approval.approvalId, 7n);
    await expect(approve(bob, plan)).rejects.toMatchObject({ code: 'plan_used', exitCode: 6 });
  });

  test('compares numbers, not texts: 100 is newer than 99', async () => {
    countFrom(1_000_000);
    const [old, newer] = [await registerTestPlan(-1), await registerTestPlan(0)];
    await approve(bob, newer);
    await expect(approve(bob, old)).rejects.toMatchObject({ code: 'plan_superseded' });
  });

  test('gives one of two approvals at the same moment', async () => {
    const plans = [await registerTestPlan(1), await registerTestPlan(2)];
    const outcomes = await Promise.allSettled(plans.map((plan) => approve(bob, plan)));
    const open = (await Promise.all(plans.map(find))).filter((row) => row !== undefined);
    expect(open).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(['conflict', 'plan_superseded']).toContain(outcome.reason.code);
  });
});

describe('approveInsideRails', () => {
  const byRails = (plan: NewRegisteredPlan) => approveInsideRails(fleet.engine, plan.planId);

  test('approves a plan inside its guard-rails, without a person', async () => {
    const plan = await registerTestPlan();
    expect(await byRails(plan)).toMatchObject({ kind: 'guard_rails', approver: null, author: alice.name });
  });

  test('leaves it to another scheduler that approves at the same moment', async () => {
    const plan = await registerTestPlan();
    const late = await fleet.engine.control.inTransaction(async (tx) => {
      await insertApproval(tx, { planId: plan.planId, kind: 'guard_rails', reason: null });
      const outcome = byRails(plan);
      await waitFor('the second one waits for the first', async () => {
        const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
        return (await fleet.control(waiting)).length > 0;
      });
      return { outcome };
    });
    expect(await late.outcome).toBeUndefined();
    expect(await stateOf(plan)).toEqual(['open']);
  });

  test('approves no plan that breaks one; a second person can', async () => {
    const plan = await registerTestPlan(1, { rails: [PASSED, BROKEN] });
    expect(await byRails(plan)).toBeUndefined();
    expect((await approve(bob, plan)).approval.kind).toBe('person');
  });
});
