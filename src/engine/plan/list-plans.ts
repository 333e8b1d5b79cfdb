// Every plan, as its cell has it, else as control knows it; with its newest approval and run. Counts only.
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { isInsideRails, readGuardRails } from '../../domain/plan/guard-rails.js';
import type { PlanCounts } from '../../domain/plan/plan-report.js';
import { listStoredPlans } from '../../stores/cell/plan/plans.js';
import { listPlanUses, listRegisteredPlans, type PlanUse } from '../../stores/control/plans.js';
import type { EngineContext } from '../context.js';
import { nameReadFailure } from '../database-errors.js';
import { planName } from './plan-id.js';

export interface ListedPlan {
  /** For example `in-7`. */
  readonly planId: string;
  readonly dataCenter: string;
  readonly digest: string;
  readonly cardHash: string;
  readonly author: string;
  readonly snapshotAt: Date;
  /** When it was made in its cell; for a plan that only control has, when it was registered. */
  readonly madeAt: Date;
  /** `cell`: its cell has it. `control`: only control has it. `unreadable`: its cell cannot be read. */
  readonly found: 'cell' | 'control' | 'unreadable';
  readonly counts: PlanCounts;
  /** By the guard-rails that are configured now. */
  readonly insideRails: boolean;
  /** The newest; null: none. */
  readonly approval: PlanUse['approval'];
  /** The newest run that followed it; null: none. */
  readonly run: PlanUse['run'];
}

export interface PlanList {
  /** Newest first. */
  readonly plans: readonly ListedPlan[];
  /** There are older ones. */
  readonly more: boolean;
  readonly unreachable: readonly { readonly dataCenter: string; readonly code: string }[];
}

export interface PlanListQuestion {
  readonly config: Pick<RolloutConfig, 'rollout'>;
  readonly dataCenters: readonly string[];
  readonly limit: number;
}

type Found = Omit<ListedPlan, 'insideRails' | 'approval' | 'run'>;
type CellPlans =
  | { readonly kind: 'read'; readonly dataCenter: string; readonly plans: readonly Found[] }
  | { readonly kind: 'unreadable'; readonly dataCenter: string; readonly code: string };

/**
 * The newest plans of these data centers, at limit `limit`. A cell that cannot be read is reported; without control it
 * throws.
 */
export async function listPlans(
  context: Pick<EngineContext, 'control' | 'cells'>,
  { config, dataCenters, limit }: PlanListQuestion,
): Promise<PlanList> {
  const cells = await Promise.all(dataCenters.map((id) => readCellPlans(context, id, limit + 1)));
  return context.control.inTransaction(async (tx) => {
    const registered = await listRegisteredPlans(tx, dataCenters, limit + 1);
    const known = cells.flatMap((cell) => (cell.kind === 'read' ? cell.plans : []));
    const names = new Set(known.map(({ planId }) => planId));
    const unread = cells.filter((cell) => cell.kind === 'unreadable');
    const others = registered
      .filter(({ planId }) => !names.has(planId))
      .map(({ registeredAt: madeAt, ...plan }): Found => {
        const readable = unread.every(({ dataCenter }) => dataCenter !== plan.dataCenter);
        return { ...plan, madeAt, found: readable ? 'control' : 'unreadable' };
      });
    const all = [...known, ...others].sort(newestFirst);
    const plans = all.slice(0, limit);
    const uses = new Map((await listPlanUses(tx, plans)).map((use) => [use.planId, use]));
    return {
      plans: plans.map((plan) => toListed(plan, uses.get(plan.planId), config)),
      more: all.length > limit,
      unreachable: unread.map(({ dataCenter, code }) => ({ dataCenter, code })),
    };
  });
}

async function readCellPlans(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  limit: number,
): Promise<CellPlans> {
  try {
    const stored = await cells.get(dataCenter).inTransaction('reader', (tx) => listStoredPlans(tx, limit));
    const plans = stored.map(
      ({ planId, ...plan }): Found => ({ ...plan, planId: planName(dataCenter, planId), dataCenter, found: 'cell' }),
    );
    return { kind: 'read', dataCenter, plans };
  } catch (error) {
    return { kind: 'unreadable', dataCenter, code: nameReadFailure(error) };
  }
}

/** Of the same instant the higher number comes first. */
const newestFirst = (a: Found, b: Found): number =>
  b.madeAt.getTime() - a.madeAt.getTime() || b.planId.localeCompare(a.planId, 'en', { numeric: true });

// field by field: rows of control have more
const toListed = (plan: Found, use: PlanUse | undefined, config: PlanListQuestion['config']): ListedPlan => ({
  planId: plan.planId,
  dataCenter: plan.dataCenter,
  digest: plan.digest,
  cardHash: plan.cardHash,
  author: plan.author,
  snapshotAt: plan.snapshotAt,
  madeAt: plan.madeAt,
  found: plan.found,
  counts: plan.counts,
  insideRails: isInsideRails(readGuardRails(plan.counts, config.rollout.guardRails)),
  approval: use?.approval ?? null,
  run: use?.run ?? null,
});
