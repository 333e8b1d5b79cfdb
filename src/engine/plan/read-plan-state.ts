// Which plan the requested rollout of a data center follows, and whether it may: read from its cell and from control.
import { toSections } from '../../domain/config/policy.js';
import { type ApprovalDecision, decideApproval } from '../../domain/plan/decide-approval.js';
import { readGuardRails } from '../../domain/plan/guard-rails.js';
import { toKnownCode } from '../../domain/rollout/cell-code.js';
import type { PlanReading } from '../../domain/rollout/snapshot.js';
import { RESTING_STAGES, SLOT_STAGES } from '../../domain/rollout/stage.js';
import { assertNever } from '../../kernel/assert-never.js';
import { findPlanRequest } from '../../stores/cell/plan/plan-requests.js';
import { findPlan } from '../../stores/cell/plan/plans.js';
import { findBlockingApproval, listPlanApprovals } from '../../stores/control/approvals.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { findRegisteredPlan, type RegisteredPlan } from '../../stores/control/plans.js';
import { readPolicy } from '../../stores/control/policy.js';
import type { EngineContext } from '../context.js';
import { parsePlanName } from './plan-id.js';

/** What it depends on of a data center. */
type PlanRow = Pick<DataCenterRow, 'id' | 'stage' | 'requestedAt' | 'planId' | 'settings' | 'runId'>;

const NONE: PlanReading = { kind: 'none' };

/**
 * `none` unless a rollout is requested and not under way; of one under way only that it follows no plan. Where the cell
 * cannot be read, control's rows decide.
 */
export async function readPlan(
  context: Pick<EngineContext, 'control' | 'cells'>,
  row: PlanRow,
  now: Date,
): Promise<PlanReading> {
  const { settings, planId } = row;
  if (SLOT_STAGES.includes(row.stage) && planId === null) return { kind: 'unusable', code: 'plan_unknown' };
  if (!RESTING_STAGES.includes(row.stage) || row.requestedAt === null || settings === null || planId === null)
    return NONE;
  const known = await context.control.inTransaction(async (tx) => {
    const plan = await findRegisteredPlan(tx, planId);
    return plan && { plan, approval: await readApproval(tx, plan, { row, now }) };
  });
  if (known !== undefined && known.approval.kind === 'held')
    return { kind: 'registered', planId, approval: known.approval };
  const inCell = await readInCell(context, row.id, planId);
  if (known === undefined) return toUnregistered(planId, inCell);
  if (inCell.kind === 'asked') return { ...inCell, planId };
  if (inCell.kind === 'none') return { kind: 'unusable', code: 'plan_unknown' };
  // another plan was approved under this id
  if (inCell.kind === 'made' && inCell.digest !== known.plan.digest) return { kind: 'unusable', code: 'plan_conflict' };
  return { kind: 'registered', planId, approval: known.approval };
}

interface ApprovalQuestion {
  readonly row: PlanRow;
  readonly now: Date;
}

async function readApproval(
  tx: ControlTransaction,
  { planId, author, digest, counts, insideRails, rails: registered }: RegisteredPlan,
  { row, now }: ApprovalQuestion,
): Promise<ApprovalDecision> {
  const rows = await listPlanApprovals(tx, planId);
  const blocking = await findBlockingApproval(tx, row.id, planId);
  const approvals = rows.map((one) => ({ ...one, approver: one.approver ?? '' }));
  // a run that is newer than the row uses it: the row has changed since it was read, and compare-and-set will notice
  const taken = approvals.find(({ usedByRun }) => usedByRun !== null && usedByRun > (row.runId ?? 0n));
  if (taken !== undefined) return { kind: 'approved', approval: taken };
  // the policy as it is now, which the database asks too; a plan that was outside when it was registered stays outside
  const { approval, guardRails } = toSections(await readPolicy(tx)).rollout;
  const rails = insideRails ? readGuardRails(counts, guardRails) : registered;
  const newer = blocking === undefined || blocking.planId === planId ? null : blocking.planId;
  return decideApproval({ author, digest, rails, approval, approvals, newer, now });
}

type InCell =
  | { readonly kind: 'made'; readonly digest: string }
  | { readonly kind: 'asked'; readonly failure: string | null }
  | { readonly kind: 'none' }
  /** The cell cannot be read. */
  | { readonly kind: 'unreadable' };

function toUnregistered(planId: string, inCell: InCell): PlanReading {
  switch (inCell.kind) {
    case 'made':
      return { kind: 'made', planId };
    case 'asked':
      return { kind: 'asked', planId, failure: inCell.failure };
    case 'none':
      return NONE;
    case 'unreadable':
      return { kind: 'asked', planId, failure: null };
    default:
      return assertNever(inCell);
  }
}

async function readInCell(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  planId: string,
): Promise<InCell> {
  const number = parsePlanName(planId)?.number ?? 0n;
  try {
    return await cells.get(dataCenter).inTransaction('fencer', async (tx): Promise<InCell> => {
      const plan = await findPlan(tx, number);
      if (plan !== undefined) return { kind: 'made', digest: plan.digest };
      const request = await findPlanRequest(tx, number);
      return request === undefined ? { kind: 'none' } : { kind: 'asked', failure: toKnownCode(request.failure) };
    });
  } catch {
    return { kind: 'unreadable' };
  }
}
