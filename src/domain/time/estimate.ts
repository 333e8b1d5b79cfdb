// Estimates the remaining time as a range, from the durations of recent batches.

const MIN_BATCHES = 3;

/** How far a data center is. */
export interface ProgressReading {
  readonly doneOrgs: number;
  readonly totalOrgs: number;
  /** How long the recent full batches took, in milliseconds, in any order. */
  readonly batchDurationsMs: readonly number[];
  /** Orgs in a full batch. */
  readonly batchOrgs: number;
  /** Batches that run at once. */
  readonly lanes: number;
}

/** A range in milliseconds: `lowMs` from the median of the recent batches, `highMs` from their 90th percentile. */
export interface RemainingEstimate {
  readonly lowMs: number;
  readonly highMs: number;
}

/** The time left for the orgs that are not done, never negative; undefined with fewer than three recent batches. */
export function estimateRemaining(reading: ProgressReading): RemainingEstimate | undefined {
  const durations = reading.batchDurationsMs.filter((ms) => Number.isFinite(ms) && ms >= 0).sort((a, b) => a - b);
  if (durations.length < MIN_BATCHES || !(reading.batchOrgs > 0)) return undefined;
  const orgs = Math.max(0, reading.totalOrgs - reading.doneOrgs);
  const lanes = Math.max(1, reading.lanes);
  const rounds = orgs / reading.batchOrgs / lanes;
  const wholeRounds = Math.ceil(Math.ceil(orgs / reading.batchOrgs) / lanes);
  return {
    lowMs: Math.round(rounds * percentile(durations, 0.5)),
    highMs: Math.round(wholeRounds * percentile(durations, 0.9)),
  };
}

/** The share that is done, from 0 to 1; 1 when there is nothing to do. */
export function progressShare(done: number, total: number): number {
  if (!(total > 0)) return 1;
  return Math.min(1, Math.max(0, done / total));
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
