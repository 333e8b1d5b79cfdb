// `plan show`: the report of a stored plan as it was made, with the guard-rails as they are configured now, its
// approvals, and, once a run followed it, what was predicted and what happened. Org data is only for the person who
// runs it.
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { readGuardRails } from '../../domain/plan/guard-rails.js';
import type { PlanOutcome, PlanReport, StoredReport } from '../../domain/plan/plan-report.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import {
  countStaleOrgs,
  type FollowedRun,
  findFollowedRun,
  listStaleOrgs,
  type StaleOrg,
} from '../../stores/cell/plan/plan-outcome.js';
import { readStoredReport } from '../../stores/cell/plan/plans.js';
import { countRefusedSince } from '../../stores/cell/usage/usage-report.js';
import { type ApprovalRow, listPlanApprovals } from '../../stores/control/approvals.js';
import type { EngineContext } from '../context.js';
import { getPlanName, getStoredPlan } from './plan-id.js';

export type { OrgImage, StaleOrg } from '../../stores/cell/plan/plan-outcome.js';
export type { ApprovalRow } from '../../stores/control/approvals.js';

export interface LoadedReport {
  readonly report: PlanReport;
  readonly madeAt: Date;
  /** Of this digest, newest first; none when control knows the plan with another digest. */
  readonly approvals: readonly ApprovalRow[];
  /** Null: no run followed it. */
  readonly outcome: PlanOutcome | null;
  /** Orgs that the run left out as stale; null: not requested, or no run. */
  readonly stale: { readonly orgs: number; readonly listed: readonly StaleOrg[] } | null;
}

export interface ReportQuestion {
  readonly planId: string;
  readonly config: Pick<RolloutConfig, 'rollout'>;
  /** How many stale orgs to list at most; `none`: they are not read. */
  readonly stale: 'none' | 'all' | number;
}

/** Long enough to add up a plan of two million orgs, and the usage of every day that is kept. */
const STATEMENT_MS = 120_000;

/** Throws plan_unknown. */
export async function loadStoredReport(
  context: Pick<EngineContext, 'control' | 'cells'>,
  { planId, config, stale }: ReportQuestion,
): Promise<LoadedReport> {
  const name = getPlanName(planId);
  const read = async (tx: CellTransaction) => {
    const plan = await getStoredPlan(tx, name);
    const { report, lists } = await readStoredReport(tx, plan.planId);
    const run = await findFollowedRun(tx, plan.planId);
    return {
      plan,
      report,
      lists,
      run,
      refused: run === undefined ? null : await countRefusedSince(tx),
      stale: run === undefined || stale === 'none' ? null : await readStale(tx, run, stale),
    };
  };
  const found = await context.cells.get(name.dataCenter).inTransaction('reader', read, { statementMs: STATEMENT_MS });
  const approvals = await context.control.inTransaction((tx) => listPlanApprovals(tx, planId));
  const report = toReport(found, config);
  return {
    report,
    madeAt: found.plan.madeAt,
    approvals: approvals.filter(({ digest }) => digest === found.plan.digest),
    outcome: found.run === undefined ? null : toOutcome(report, found.run, found.refused),
    stale: found.stale,
  };
}

async function readStale(
  tx: CellTransaction,
  { runId }: FollowedRun,
  limit: 'all' | number,
): Promise<LoadedReport['stale']> {
  return {
    orgs: await countStaleOrgs(tx, runId),
    listed: await listStaleOrgs(tx, runId, limit === 'all' ? null : limit),
  };
}

/** The stored document has no digest, nor, when a worker made it, the guard-rails. */
function toReport(
  found: {
    readonly plan: { readonly digest: string };
    readonly report: StoredReport;
    readonly lists: PlanReport['orgs'];
  },
  config: ReportQuestion['config'],
): PlanReport {
  const { plan, report, lists } = found;
  return {
    ...report,
    orgs: lists,
    digest: plan.digest,
    rails: readGuardRails(report.counts, config.rollout.guardRails),
  };
}

function toOutcome({ counts, duration, usage }: PlanReport, run: FollowedRun, refused: number | null): PlanOutcome {
  const { runId, state, predictedCredits, touched, credits, durationMs, stale, quarantined } = run;
  return {
    runId: String(runId),
    state,
    predicted: {
      touched: counts.touched,
      credits: predictedCredits,
      p50Ms: duration.p50Ms,
      p90Ms: duration.p90Ms,
      short: usage?.reduce((sum, edition) => sum + edition.short, 0) ?? null,
    },
    actual: { touched, credits, durationMs, stale, quarantined, refused },
  };
}
