// How far a plan's prediction was from what happened. Exact integers.
import type { PlanOutcome } from './plan-report.js';

/** In percent of what was predicted, to a tenth; null: nothing was predicted, but something happened. */
export interface OutcomeError {
  readonly touched: number | null;
  readonly credits: number | null;
  /** Of the likely duration. */
  readonly duration: number | null;
}

export function measureOutcome({ predicted, actual }: PlanOutcome): OutcomeError {
  return {
    touched: measureError(BigInt(predicted.touched), BigInt(actual.touched)),
    credits: measureError(BigInt(predicted.credits), BigInt(actual.credits)),
    duration: measureError(BigInt(Math.round(predicted.p50Ms)), BigInt(Math.round(actual.durationMs))),
  };
}

/** Rounded towards zero: 0.04 % is 0. */
export function measureError(predicted: bigint, actual: bigint): number | null {
  if (predicted === actual) return 0;
  // + 0: no negative zero
  return predicted === 0n ? null : Number(((actual - predicted) * 1000n) / predicted) / 10 + 0;
}
