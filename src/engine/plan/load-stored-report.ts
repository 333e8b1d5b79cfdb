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
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { listNewestRollouts } from '../../stores/control/runs.js';
import type { EngineContext } from '../context.js';
import { readSplitDuration, type SplitDuration } from '../hold-durations.js';
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
  const { approvals, split } = await context.control.inTransaction(async (tx) => ({
    approvals: await listPlanApprovals(tx, planId),
    split: await readSplit(tx, name.dataCenter, found.run),
  }));
  const report = toReport(found, config);
  return {
    report,
    madeAt: found.plan.madeAt,
    approvals: approvals.filter(({ digest }) => digest === found.plan.digest),
    outcome: found.run === undefined ? null : toOutcome(report, found.run, { refused: found.refused, split }),
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
    // one of an earlier version has neither
    leftOut: report.leftOut ?? null,
    batchSize: report.batchSize ?? null,
    orgs: lists,
    digest: plan.digest,
    rails: readGuardRails(report.counts, config.rollout.guardRails),
  };
}

/** Of its batches; null: nothing is done, or what it waited is not known. */
async function readSplit(
  tx: ControlTransaction,
  dataCenter: string,
  run: FollowedRun | undefined,
): Promise<SplitDuration | null> {
  if (run === undefined || run.beganAt === null || run.endedAt === null) return null;
  const newest = (await listNewestRollouts(tx)).some(({ runId }) => runId === run.runId);
  return readSplitDuration(tx, dataCenter, { from: run.beganAt, to: run.endedAt, newest });
}

interface OutcomeParts {
  readonly refused: number | null;
  readonly split: SplitDuration | null;
}

function toOutcome(
  { counts, duration, usage }: PlanReport,
  run: FollowedRun,
  { refused, split }: OutcomeParts,
): PlanOutcome {
  const { runId, state, predictedCredits, touched, credits, beganAt, endedAt, stale, quarantined } = run;
  const { followUpSkippedAt } = run;
  const wholeMs = beganAt === null || endedAt === null ? 0 : endedAt.getTime() - beganAt.getTime();
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
    actual: {
      ...{ touched, credits, stale, followUpSkippedAt, quarantined, refused },
      durationMs: Math.round(split?.activeMs ?? wholeMs),
      waitedMs: split?.heldMs ?? null,
    },
  };
}
