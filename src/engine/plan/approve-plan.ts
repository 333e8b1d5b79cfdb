// Approves a plan: by a second person, or by its guard-rails. Control's database binds the approval to the plan's digest.
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  type ApprovalRow,
  findBlockingApproval,
  insertApproval,
  listApprovalRows,
  voidApprovals,
} from '../../stores/control/approvals.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { findRegisteredPlan, type RegisteredPlan } from '../../stores/control/plans.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { requireSecondPerson } from '../two-person-rule.js';

export interface PlanApproval {
  /** `known`: it was approved before and that still holds; nothing was written. */
  readonly kind: 'given' | 'known';
  readonly approval: ApprovalRow;
  readonly plan: RegisteredPlan;
  /** Older plans whose approval can no longer be used. */
  readonly voided: readonly string[];
  /** An apply waits for this plan: its run starts by itself. */
  readonly awaited: boolean;
}

/** Throws plan_unknown, same_person, plan_used, plan_superseded; conflict when somebody approves at the same moment. */
export async function approvePlan(
  context: Pick<EngineContext, 'control' | 'actor' | 'wakeUps'>,
  { planId, reason }: { readonly planId: string; readonly reason: string | null },
): Promise<PlanApproval> {
  try {
    const outcome = await context.control.inTransaction(async (tx) => {
      const person = await identifyPerson(tx, context.actor);
      const plan = await getPlan(tx, planId);
      requireSecondPerson(`The plan ${planId}`, plan.author, person);
      const given = await give(context, tx, plan, { kind: 'person', reason });
      return { ...given, awaited: await isAwaited(tx, plan) };
    });
    await context.wakeUps.wakeSchedulers();
    return outcome;
  } catch (error) {
    throw explainApproval(error, planId);
  }
}

/** For a plan that may approve itself: its approval, or undefined when it lies outside the guard-rails. */
export async function approveInsideRails(
  context: Pick<EngineContext, 'actor'>,
  tx: ControlTransaction,
  planId: string,
): Promise<ApprovalRow | undefined> {
  const plan = await getPlan(tx, planId);
  if (!plan.insideRails) return undefined;
  return (await give(context, tx, plan, { kind: 'guard_rails', reason: null })).approval;
}

async function getPlan(tx: ControlTransaction, planId: string): Promise<RegisteredPlan> {
  const plan = await findRegisteredPlan(tx, planId);
  if (plan !== undefined) return plan;
  throw new RolloutError('plan_unknown', { message: `Control knows no plan "${planId}".` });
}

async function give(
  context: Pick<EngineContext, 'actor'>,
  tx: ControlTransaction,
  plan: RegisteredPlan,
  { kind, reason }: Pick<ApprovalRow, 'kind' | 'reason'>,
): Promise<Omit<PlanApproval, 'awaited'>> {
  const { planId, dataCenter, digest } = plan;
  const prevailing = await findBlockingApproval(tx, dataCenter, planId);
  if (prevailing?.planId === planId && prevailing.state === 'open')
    return { kind: 'known', approval: prevailing, plan, voided: [] };
  if (prevailing !== undefined) throw explainOutdated(plan, prevailing);
  const voided = await voidApprovals(tx, dataCenter, `${planId}, which is newer, was approved`);
  const approval = await insertApproval(tx, { planId, kind, reason });
  const details = { plan: planId, digest, kind, author: plan.author, ...(voided.length > 0 && { voided }) };
  await appendAudit(tx, { actor: context.actor, action: 'approve', dataCenter, reason, details });
  return { kind: 'given', approval, plan, voided };
}

async function isAwaited(tx: ControlTransaction, { planId, dataCenter }: RegisteredPlan): Promise<boolean> {
  const row = (await listDataCenters(tx)).find(({ id }) => id === dataCenter);
  return row !== undefined && row.requestedAt !== null && row.planId === planId && RESTING_STAGES.includes(row.stage);
}

function explainApproval(error: unknown, planId: string): unknown {
  if (classifyFailure(error).kind !== 'duplicate') return error;
  return new RolloutError('conflict', {
    message: `Somebody else approved a plan of the data center of ${planId} at the same moment; nothing was written.`,
    cause: error,
  });
}

// Why a plan can be neither approved nor applied any more, as people read it: its approval was used, or a newer plan took
// its place. Says it and nothing else.

/** plan_used or plan_superseded; `by`: the approval that stands in its way, its own or a newer plan's. */
export function explainOutdated(
  { planId, dataCenter }: Pick<RegisteredPlan, 'planId' | 'dataCenter'>,
  by: Pick<ApprovalRow, 'planId' | 'state' | 'usedByRun'>,
): RolloutError {
  const next = `Plan again: credit-rollout plan --dc ${dataCenter}`;
  if (by.planId === planId)
    return new RolloutError('plan_used', {
      message: `The plan ${planId} was applied by run ${by.usedByRun}; an approval is used once.`,
      next,
    });
  const state = by.state === 'used' ? `was applied by run ${by.usedByRun}` : 'is approved';
  return new RolloutError('plan_superseded', {
    message: `The plan ${planId} is older than ${by.planId}, which ${state}.`,
    next,
  });
}

// The approvals that control remembers, for people. Reads only.

/** The newest `most`, newest first; of one data center, or of all. */
export async function listApprovals(
  context: Pick<EngineContext, 'control'>,
  most: number,
  dataCenter?: string,
): Promise<readonly ApprovalRow[]> {
  return context.control.inTransaction((tx) => listApprovalRows(tx, most, dataCenter));
}
