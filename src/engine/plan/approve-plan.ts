// Approves a plan: by a second person, or by its guard-rails. Control's database binds the approval to the plan's
// digest.
import { toSections } from '../../domain/config/policy.js';
import { isInsideRails, readGuardRails } from '../../domain/plan/guard-rails.js';
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  type ApprovalRow,
  findBlockingApproval,
  insertApproval,
  voidApprovals,
} from '../../stores/control/approvals.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { findRegisteredPlan, type RegisteredPlan } from '../../stores/control/plans.js';
import { readPolicy } from '../../stores/control/policy.js';
import { readRollout } from '../../stores/control/rollout.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { requireSecondPerson } from '../two-person-rule.js';

export interface PlanApproval {
  /** `known`: it was approved before and that approval is still open; nothing was written. */
  readonly kind: 'given' | 'known';
  readonly approval: ApprovalRow;
  readonly plan: RegisteredPlan;
  /** Older plans whose approval can no longer be used. */
  readonly voided: readonly string[];
  /** An apply waits for this plan: its run starts by itself. */
  readonly awaited: boolean;
  /** The rate card that the first apply pinned; null: there was none yet. */
  readonly pinnedCard: string | null;
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
      const given = await giveApproval(tx, plan, { kind: 'person', reason });
      return { ...given, awaited: await isAwaited(tx, plan), pinnedCard: (await readRollout(tx)).cardHash };
    });
    await context.wakeUps.wakeSchedulers();
    return outcome;
  } catch (error) {
    throw explainApproval(error, planId);
  }
}

/**
 * For a plan that may approve itself: its approval; undefined when the policy wants a person, or another scheduler
 * gives the approval at this moment.
 */
export async function approveInsideRails(
  { control }: Pick<EngineContext, 'control'>,
  planId: string,
): Promise<ApprovalRow | undefined> {
  try {
    return await control.inTransaction(async (tx) => {
      const plan = await getPlan(tx, planId);
      if (!plan.insideRails || !(await approvesItself(tx, plan))) return undefined;
      return (await giveApproval(tx, plan, { kind: 'guard_rails', reason: null })).approval;
    });
  } catch (error) {
    if (classifyFailure(error).kind === 'duplicate') return undefined;
    throw error;
  }
}

/** By the policy in force; the database asks the same before it takes the approval. */
async function approvesItself(tx: ControlTransaction, { counts }: RegisteredPlan): Promise<boolean> {
  const { approval, guardRails } = toSections(await readPolicy(tx)).rollout;
  return approval === 'auto' && isInsideRails(readGuardRails(counts, guardRails));
}

async function getPlan(tx: ControlTransaction, planId: string): Promise<RegisteredPlan> {
  const plan = await findRegisteredPlan(tx, planId);
  if (plan !== undefined) return plan;
  throw new RolloutError('plan_unknown', { message: `The control database knows no plan "${planId}".` });
}

async function giveApproval(
  tx: ControlTransaction,
  plan: RegisteredPlan,
  { kind, reason }: Pick<ApprovalRow, 'kind' | 'reason'>,
): Promise<Omit<PlanApproval, 'awaited' | 'pinnedCard'>> {
  const { planId, dataCenter, digest } = plan;
  const blocking = await findBlockingApproval(tx, dataCenter, planId);
  const open = blocking?.planId === planId && blocking.state === 'open' ? blocking : undefined;
  const replaced = open?.kind === 'guard_rails' && kind === 'person' && !(await approvesItself(tx, plan));
  if (open !== undefined && !replaced) return { kind: 'known', approval: open, plan, voided: [] };
  if (blocking !== undefined && !replaced) throw explainOutdated(plan, blocking);
  const why = replaced ? 'the policy wants a person now' : `${planId}, which is newer, was approved`;
  const voided = await voidApprovals(tx, dataCenter, why);
  const approval = await insertApproval(tx, { planId, kind, reason });
  const details = { plan: planId, digest, kind, author: plan.author, ...(voided.length > 0 && { voided }) };
  await appendAudit(tx, { action: 'approve', dataCenter, reason, details });
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

/**
 * Why a plan can be neither approved nor applied any more: plan_used or plan_superseded. `by`: the approval that blocks
 * it, its own or that of a newer plan.
 */
export function explainOutdated(
  { planId, dataCenter }: Pick<RegisteredPlan, 'planId' | 'dataCenter'>,
  by: Pick<ApprovalRow, 'planId' | 'state' | 'usedByRun'>,
): RolloutError {
  const next = advise`Plan again: ${command`plan --dc ${dataCenter}`}`;
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
