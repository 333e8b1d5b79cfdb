// What the requested rollout of a data center is to follow, and whether it may: read from its cell and from control.

import { decideApproval } from '../domain/plan/decide-approval.js';
import { readGuardRails } from '../domain/plan/guard-rails.js';
import type { PlanReading } from '../domain/rollout/snapshot.js';
import { RESTING_STAGES } from '../domain/rollout/stage.js';
import { findPlanRequest } from '../stores/cell/plan-requests.js';
import { findPlan } from '../stores/cell/plans.js';
import { listPlanApprovals } from '../stores/control/approvals.js';
import type { DataCenterRow } from '../stores/control/data-centers.js';
import { findRegisteredPlan } from '../stores/control/plans.js';
import type { EngineContext } from './context.js';
import { parsePlanName } from './plan-name.js';

const NONE: PlanReading = { kind: 'none' };

/** Only asked where it matters: at a rest, with a request. A cell that cannot be read says nothing of its plan. */
export async function readPlan(
  context: Pick<EngineContext, 'control' | 'cells'>,
  row: DataCenterRow,
  now: Date,
): Promise<PlanReading> {
  const { settings, planId } = row;
  if (settings?.pin === 'none') return { kind: 'unpinned' };
  if (!RESTING_STAGES.includes(row.stage) || row.requestedAt === null || settings === null || planId === null)
    return NONE;
  const known = await context.control.inTransaction(async (tx) => {
    const plan = await findRegisteredPlan(tx, planId);
    return plan && { plan, approvals: await listPlanApprovals(tx, planId) };
  });
  if (known === undefined) return readInCell(context, row.id, planId);
  const { author, digest, insideRails, counts } = known.plan;
  // the stricter of what held when it was registered, which the database remembers, and what was asked for
  const rails = insideRails ? readGuardRails(counts, settings.guardRails) : known.plan.rails;
  const approvals = known.approvals.map((one) => ({ ...one, approver: one.approver ?? '' }));
  const approval = decideApproval({ author, digest, rails, approval: settings.approval, approvals, now });
  return { kind: 'registered', planId, approval };
}

async function readInCell(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  planId: string,
): Promise<PlanReading> {
  const number = parsePlanName(planId)?.number ?? 0n;
  try {
    return await cells.get(dataCenter).inTransaction('fencer', async (tx): Promise<PlanReading> => {
      if ((await findPlan(tx, number)) !== undefined) return { kind: 'made', planId };
      const request = await findPlanRequest(tx, number);
      return request === undefined ? NONE : { kind: 'asked', planId, failure: request.failure };
    });
  } catch {
    return { kind: 'asked', planId, failure: null };
  }
}
