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

/** Cut to a tenth, and 0 only where there is no error: 0.04 % is 0.1. */
export function measureError(predicted: bigint, actual: bigint): number | null {
  if (predicted === actual) return 0;
  if (predicted === 0n) return null;
  const tenths = ((actual - predicted) * 1000n) / predicted;
  return Number(tenths === 0n ? (actual > predicted ? 1n : -1n) : tenths) / 10;
}
