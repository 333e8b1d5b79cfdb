// What a data center that may start begins with: every reading of its plan, what it leads to, and that nothing else
// does.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decidePlanned } from '../../../src/domain/rollout/decide-planned.js';
import { formatRelease } from '../../../src/domain/rollout/hold.js';
import type { DataCenterSnapshot } from '../../../src/domain/rollout/snapshot.js';
import { INTENTS, STAGES } from '../../../src/domain/rollout/stage.js';
import { AWAY, CLOSED_WINDOW, cell, dc, LATER, nameStep, PLANS } from './sample-snapshot.js';

const decide = (one: DataCenterSnapshot) => {
  const { steps, holds } = decidePlanned(one);
  return {
    steps: steps.map(nameStep),
    holds: holds.map(({ code, value, limit, release }) => [code, value, limit, formatRelease(release)]),
  };
};

const GOES_ON = 'it goes on by itself';
const APPROVE = 'credit-rollout approve eu-7';
const ABORT = 'credit-rollout abort --dc eu';

describe('decidePlanned', () => {
  test.each([
    ['without a plan it asks for one', PLANS.none, ['request_plan'], []],
    [
      'while its plan is made it requests a wake-up and shows the hold',
      PLANS.asked,
      ['wake plan 1'],
      [['planning', null, null, GOES_ON]],
    ],
    [
      'a plan that cannot be made waits for a person, and no wake-up is requested',
      PLANS.failed,
      [],
      [['plan_failed', 'rate_card_changed', null, ABORT]],
    ],
    ['a plan that is made comes before control', PLANS.made, ['register_plan'], []],
    ['an approved plan starts', PLANS.approved, ['activate'], []],
    [
      'a plan inside its guard-rails is approved first, and does not start before',
      PLANS.approvesItself,
      ['register_plan'],
      [],
    ],
    [
      'a plan outside a guard-rail waits, and names it',
      PLANS.outside,
      [],
      [['needs_approval', 'orgsTouched 11 orgs', '10 orgs', APPROVE]],
    ],
    [
      'a plan that needs approval by the configuration waits',
      PLANS.required,
      [],
      [['needs_approval', 'rollout.approval: required', null, APPROVE]],
    ],
    [
      'an expired approval can be given anew',
      PLANS.expired,
      [],
      [['needs_approval', 'its approval has expired', null, APPROVE]],
    ],
    ['a used approval cannot', PLANS.used, [], [['needs_approval', 'its approval was used', null, ABORT]]],
    ['a voided approval cannot', PLANS.voided, [], [['needs_approval', 'its approval was voided', null, ABORT]]],
    [
      'a plan that a newer one took the place of can only be withdrawn',
      PLANS.superseded,
      [],
      [['needs_approval', 'eu-8, which is newer, was approved', null, ABORT]],
    ],
    ['a plan that its cell lost does not start', PLANS.lost, [], [['plan_failed', 'plan_unknown', null, ABORT]]],
    [
      'a plan that is another one by now does not start',
      PLANS.replaced,
      [],
      [['plan_failed', 'plan_conflict', null, ABORT]],
    ],
  ] as const)('%s', (_promise, plan, steps, holds) => {
    expect(decide(dc({ requested: true, plan }))).toEqual({ steps, holds });
  });

  test('wakes workers for a plan also where no worker serves, and shows that', () => {
    expect(decide(dc({ plan: PLANS.asked, cell: cell({ workersAlive: 0 }) }))).toEqual({
      steps: ['wake plan 1'],
      holds: [['no_worker', '0', '1', 'credit-rollout worker --dc eu']],
    });
  });

  test('shows the error of workers whose planning fails', () => {
    expect(decide(dc({ plan: PLANS.asked, cell: cell({ lastError: 'source_failed' }) })).holds).toEqual([
      ['cell_trouble', 'source_failed', null, 'credit-rollout doctor'],
      ['planning', null, null, GOES_ON],
    ]);
  });

  test.each([undefined, AWAY])('a cell that was not read shows nothing about its workers', (unread) => {
    expect(decide(dc({ plan: PLANS.asked, cell: unread })).holds).toEqual([['planning', null, null, GOES_ON]]);
  });

  test('decides by the plan and nothing else, and starts only what is approved', () => {
    const anyDc = fc.record({
      stage: fc.constantFrom(...STAGES),
      intent: fc.constantFrom(...INTENTS),
      fenceConfirmedClosed: fc.boolean(),
      runId: fc.constantFrom(null, 5n),
      epoch: fc.constantFrom(null, 5n),
      notBeforeAt: fc.constantFrom(null, LATER),
      orgsTouched: fc.constantFrom(null, 1),
      window: fc.constantFrom(CLOSED_WINDOW, dc().window),
      cell: fc.constantFrom(cell(), cell({ fence: { failure: 'x' }, run: null }), AWAY, undefined),
    });
    fc.assert(
      fc.property(anyDc, fc.constantFrom(...Object.values(PLANS)), (change, plan) => {
        const decision = decide(dc({ ...change, plan }));
        expect(decision).toEqual(decide(dc({ plan })));
        const mayStart = plan.kind === 'registered' && plan.approval.kind === 'approved';
        expect(decision.steps.includes('activate')).toBe(mayStart);
      }),
    );
  });
});
