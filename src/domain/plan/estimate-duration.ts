// Estimates how long the apply of a plan will take, as a range, and from what. Never claims more than was measured.
import { estimateRemaining } from '../time/estimate.js';
import type { MeasuredBatch } from './batch-size.js';
import type { DurationEstimate } from './plan-report.js';

/**
 * An apply decides each org as planning does, writes its row and index, and verifies it: about three times the work.
 */
const APPLY_OVER_PLANNING = 3;
/** Without measured batches, the apply may take twice the likely time. */
const UNMEASURED_SPREAD = 2;

export interface DurationQuestion {
  /** Orgs that are to be written. */
  readonly orgs: number;
  /** Earlier batches, in any order; small ones such as the canary are ignored. */
  readonly batches: readonly MeasuredBatch[];
  /** Orgs in a full batch of the apply. */
  readonly batchOrgs: number;
  /** Batches that run at once. */
  readonly lanes: number;
  /** This plan's own reading, on one connection. */
  readonly planning: { readonly durationMs: number; readonly orgs: number };
}

/** From earlier batches when there are at least three of a size, else from the speed of this plan. */
export function estimateDuration(question: DurationQuestion): DurationEstimate {
  const { orgs, batchOrgs, lanes } = question;
  const range = estimateRemaining({
    doneOrgs: 0,
    totalOrgs: orgs,
    batchDurationsMs: listFullDurations(question.batches, batchOrgs),
    batchOrgs,
    lanes,
  });
  if (range === undefined) return estimateByPlanning(question);
  return { p50Ms: range.lowMs, p90Ms: range.highMs, basis: 'batches' };
}

/** How long each batch would have taken if it were full. A canary of ten orgs cannot predict ten thousand. */
function listFullDurations(batches: readonly MeasuredBatch[], batchOrgs: number): readonly number[] {
  const largest = batches.reduce((max, { orgs }) => Math.max(max, orgs), 0);
  return batches
    .filter(({ orgs }) => orgs > 0 && orgs * 2 >= largest)
    .map(({ durationMs, orgs }) => (durationMs / orgs) * batchOrgs);
}

/**
 * The likely time assumes that every lane helps; the other assumes that none does, and is at least twice the likely
 * time.
 */
function estimateByPlanning({ orgs, lanes, planning }: DurationQuestion): DurationEstimate {
  const perOrgMs = planning.orgs > 0 ? (planning.durationMs / planning.orgs) * APPLY_OVER_PLANNING : 0;
  const aloneMs = Math.max(0, orgs) * Math.max(0, perOrgMs);
  const likelyMs = aloneMs / Math.max(1, lanes);
  return {
    p50Ms: Math.round(likelyMs),
    p90Ms: Math.round(Math.max(aloneMs, likelyMs * UNMEASURED_SPREAD)),
    basis: 'planning',
  };
}
