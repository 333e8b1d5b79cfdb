// The report of a plan, from what was read for it. Pure.
import type { BatchSize, MeasuredBatch } from '../../domain/plan/batch-size.js';
import { countPlan } from '../../domain/plan/count-plan.js';
import { estimateDuration } from '../../domain/plan/estimate-duration.js';
import { readGuardRails } from '../../domain/plan/guard-rails.js';
import type { PlanReport } from '../../domain/plan/plan-report.js';
import type { CellRow } from '../../stores/cell/identity.js';
import type { CollectedPlan } from './collect-plan.js';
import type { PlanQuestion } from './plan-question.js';

export interface PlanReadings {
  readonly question: PlanQuestion;
  readonly batchSize: BatchSize;
  readonly found: CellRow;
  readonly collected: CollectedPlan;
  readonly leftOut: number | null;
  readonly snapshotAt: Date;
  readonly planningMs: number;
  readonly recent: readonly MeasuredBatch[];
}

/** The report of a plan that is not stored, without id and digest. */
export function describePlan(readings: PlanReadings): PlanReport {
  const { question, batchSize, found, collected, leftOut, snapshotAt, planningMs, recent } = readings;
  const { branches, quarantined, histogram, usage, orgs } = collected;
  const counts = countPlan(branches, {
    quarantined: quarantined.reduce((sum, reason) => sum + reason.orgs, 0),
    unpaidEdition: question.card.unpaid,
    paidFalling: collected.paidFalling,
    maxRaiseFactor: collected.maxRaiseFactor,
    maxFloorOverPlan: collected.maxFloorOverPlan,
    protectedTouched: collected.protectedTouched,
    staleLeftOut: 0,
  });
  return {
    planId: null,
    dataCenter: question.dataCenter,
    zone: found.zone,
    source: found.source ?? '',
    author: question.author,
    snapshotAt: snapshotAt.toISOString(),
    card: { name: question.card.name, hash: question.card.hash },
    digest: null,
    planningMs,
    counts,
    branches,
    quarantined,
    leftOut,
    histogram,
    rails: readGuardRails(counts, question.rails),
    batchSize,
    duration: estimateDuration({
      orgs: counts.touched,
      batches: recent,
      batchOrgs: batchSize.orgs,
      lanes: question.lanes,
      planning: { durationMs: planningMs, orgs: counts.orgs },
    }),
    usage,
    orgs,
  };
}
