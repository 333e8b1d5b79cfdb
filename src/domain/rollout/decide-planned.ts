// What a data center that may start begins with: its plan, the approval of it, and then the run. Pure.
import { assertNever } from '../../kernel/assert-never.js';
import type { HeldPlan } from '../plan/decide-approval.js';
import { type Decision, go, hold } from './decision.js';
import { byCommand, byWaiting, createHold, type Hold } from './hold.js';
import type { DataCenterSnapshot } from './snapshot.js';

/** Order, slot, window and cell were checked before and do not hold it. */
export function decidePlanned(dc: DataCenterSnapshot): Decision {
  const { plan } = dc;
  switch (plan.kind) {
    case 'none':
      return go({ kind: 'request_plan', reason: 'it is its turn, and it has no plan' });
    case 'asked':
      return decideAsked(dc, plan.failure);
    case 'unusable':
      return hold(unusablePlan(dc, plan.code));
    case 'made':
      return go({ kind: 'register_plan', planId: plan.planId, reason: 'its plan is made' });
    case 'registered':
      if (plan.approval.kind === 'approved') return go({ kind: 'activate', reason: `plan ${plan.planId} is approved` });
      if (plan.approval.kind === 'approves_itself')
        return go({ kind: 'register_plan', planId: plan.planId, reason: 'it is inside the guard-rails' });
      return hold(needsApproval(plan.planId, plan.approval));
    default:
      return assertNever(plan);
  }
}

/** It can only be given up; the next apply makes a new plan. */
export const unusablePlan = (dc: DataCenterSnapshot, code: string): Hold =>
  createHold('plan_failed', byCommand('abort', '--dc', dc.id), code);

function decideAsked(dc: DataCenterSnapshot, failure: string | null): Decision {
  if (failure !== null) return hold(unusablePlan(dc, failure));
  return {
    steps: [{ kind: 'wake_workers', job: 'plan', want: 1, reason: 'its plan is to be made' }],
    holds: planningHolds(dc),
  };
}

/** A planning that fails again and again is no planning that goes on by itself. */
function planningHolds({ id, cell }: DataCenterSnapshot): readonly Hold[] {
  if (cell?.kind === 'read' && cell.workersAlive === 0)
    return [createHold('no_worker', byCommand('worker', '--dc', id), '0', '1')];
  const error = cell?.kind === 'read' ? cell.lastError : null;
  return [
    ...(error === null ? [] : [createHold('cell_trouble', byCommand('doctor'), error)]),
    createHold('planning', byWaiting('it goes on by itself')),
  ];
}

function needsApproval(planId: string, held: HeldPlan): Hold {
  const approve = byCommand('approve', planId);
  if (held.why === 'outside')
    return createHold('needs_approval', approve, `${held.rail.rail} ${held.rail.value}`, held.rail.limit);
  if (held.why === 'required') return createHold('needs_approval', approve, 'rollout.approval: required');
  if (held.why === 'expired') return createHold('needs_approval', approve, 'its approval has expired');
  const abort = byCommand('abort', '--dc', planId.replace(/-\d+$/u, ''));
  const what = held.why === 'superseded' ? `${held.by}, which is newer, was approved` : `its approval was ${held.why}`;
  return createHold('needs_approval', abort, what);
}
