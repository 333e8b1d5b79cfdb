// Brings a plan from its cell before control: registered with its counts, and self-approved where it may be.
import { isInsideRails, readGuardRails } from '../../domain/plan/guard-rails.js';
import { findPlan } from '../../stores/cell/plan/plans.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { approveInsideRails } from './approve-plan.js';
import { parsePlanName } from './plan-id.js';
import { registerPlan } from './register-plan.js';

/** True when that changed something: it was registered, or approved by its guard-rails. Throws plan_conflict. */
export async function admitPlan(context: EngineContext, row: DataCenterRow, planId: string): Promise<boolean> {
  const number = parsePlanName(planId)?.number;
  const { settings } = row;
  if (number === undefined || settings === null) return false;
  const plan = await context.cells.get(row.id).inTransaction('fencer', (tx) => findPlan(tx, number));
  if (plan === undefined) return false;
  const { counts } = plan.report;
  const rails = readGuardRails(counts, settings.guardRails);
  const registered = await registerPlan(context, {
    planId,
    dataCenter: row.id,
    digest: plan.digest,
    cardHash: plan.cardHash,
    author: plan.author,
    snapshotAt: plan.snapshotAt.toISOString(),
    counts,
    rails,
  });
  if (settings.approval !== 'auto' || !isInsideRails(rails)) return registered === 'new';
  const approval = await context.control.inTransaction((tx) => approveInsideRails(context, tx, planId));
  return registered === 'new' || approval !== undefined;
}
