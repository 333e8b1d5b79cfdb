// Chooses how many orgs a batch of a plan has, from what an org and a read of the source cost in this cell, so that
// batches end in time on slow machines too. The plan pins it: its ranges are the batches of the run.

/** A batch that ran in this cell, or ranges that were planned. */
export interface MeasuredBatch {
  readonly durationMs: number;
  readonly orgs: number;
}

/** A chosen size lies between these, in orgs. */
export const CHOSEN_SIZES = { least: 500, most: 10_000 } as const;
/** What most batches may take, and nearly all of them, in ms. */
export const BATCH_GOALS = { usualMs: 150, longestMs: 250 } as const;
/**
 * Where every range costs a read of the whole view, however small it is, a batch may take so many times that read:
 * small batches would read it more often, and no size would reach the goals.
 */
const MOST_FIXED = 4;
/** A size is a multiple of it, so that a little noise chooses the same. */
const STEP = 500;

export interface BatchSize {
  readonly orgs: number;
  /** `configured`; else what it was measured on: earlier batches of this cell, or the first ranges of the plan. */
  readonly basis: 'configured' | 'batches' | 'planning';
  /** What one org of a batch was measured or expected to take, in microseconds; null: nothing was measured. */
  readonly perOrgUs: number | null;
}

/** What one org takes in a batch, in ms. */
export interface OrgCost {
  readonly usualMs: number;
  /** Of the batches that take longest. */
  readonly longestMs: number;
}

/**
 * The largest size with which both goals hold; never below the least one. `fixedMs`: what each batch costs beside its
 * orgs.
 */
export function chooseBatchOrgs({ usualMs, longestMs }: OrgCost, fixedMs = 0): number {
  const fits = (goalMs: number, costMs: number): number =>
    costMs > 0 ? (Math.max(goalMs, MOST_FIXED * fixedMs) - fixedMs) / costMs : CHOSEN_SIZES.most;
  const orgs = Math.min(
    CHOSEN_SIZES.most,
    fits(BATCH_GOALS.usualMs, usualMs),
    fits(BATCH_GOALS.longestMs, Math.max(usualMs, longestMs)),
  );
  return Math.max(CHOSEN_SIZES.least, Math.floor(orgs / STEP) * STEP);
}

/** Fewer batches say nothing. */
const LEAST_BATCHES = 5;

/** By the newest batches of this cell; undefined where there are too few of a size to say. */
export function chooseByBatches(batches: readonly MeasuredBatch[], fixedMs = 0): BatchSize | undefined {
  const largest = batches.reduce((most, { orgs }) => Math.max(most, orgs), 0);
  // the fixed cost of a batch is most of what a small one takes
  const costs = batches
    .filter(({ orgs }) => orgs >= CHOSEN_SIZES.least / 2 && orgs * 2 >= largest)
    .map(({ durationMs, orgs }) => Math.max(0, durationMs - fixedMs) / orgs)
    .toSorted((one, other) => one - other);
  if (costs.length < LEAST_BATCHES) return undefined;
  return toSize('batches', { usualMs: at(costs, 0.5), longestMs: at(costs, 0.95) }, fixedMs);
}

/** Orgs of each of the first ranges of a plan, which are measured. */
export const SAMPLE_ORGS = 2_000;
/** So many are measured; the first one also reads what the others find in memory, and is left out. */
export const SAMPLES = 3;
/** A batch decides an org as planning does, and writes it, its index and its history. */
const BATCH_OVER_PLANNING = 2;

/** By the first ranges of this plan; undefined: not enough of them were planned yet. */
export function chooseByPlanning(ranges: readonly MeasuredBatch[], fixedMs = 0): BatchSize | undefined {
  if (ranges.length < SAMPLES) return undefined;
  const costs = ranges.slice(1).map(({ durationMs, orgs }) => Math.max(0, durationMs - fixedMs) / Math.max(1, orgs));
  const usualMs = Math.min(...costs) * BATCH_OVER_PLANNING;
  return toSize('planning', { usualMs, longestMs: usualMs }, fixedMs);
}

const toSize = (basis: 'batches' | 'planning', cost: OrgCost, fixedMs: number): BatchSize => ({
  orgs: chooseBatchOrgs(cost, fixedMs),
  basis,
  perOrgUs: Math.round(cost.usualMs * 10_000) / 10,
});

const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
