// What a plan predicted against what its run did: rows for the screen and the page, and the document for programs. No
// org is named.
import { measureOutcome } from '../../domain/plan/outcome-error.js';
import type { PlanOutcome } from '../../domain/plan/plan-report.js';
import { formatDuration } from '../../domain/time/duration.js';
import { formatPercentChange } from '../../kernel/format-percent.js';
import { showCount, showRange } from '../terminal/numbers.js';
import { describeReplaced } from './show-stale.js';

/** What, predicted, actual, error. `quarantined`: orgs that the plan quarantines. */
export function listOutcome(outcome: PlanOutcome, quarantined: number): readonly (readonly string[])[] {
  const { predicted, actual } = outcome;
  const error = measureOutcome(outcome);
  return [
    ['orgs written', showCount(predicted.touched), showCount(actual.touched), showError(error.touched)],
    ['their credits a day', showCount(predicted.credits), showCount(actual.credits), showError(error.credits)],
    [
      'duration',
      showRange({ lowMs: predicted.p50Ms, highMs: predicted.p90Ms }),
      showDuration(actual.durationMs),
      showError(error.duration),
    ],
    ['waited meanwhile', '–', actual.waitedMs === null ? 'not known' : formatDuration(actual.waitedMs), ''],
    ['stale orgs left', '0', showCount(actual.stale), ''],
    ['undecidable orgs', showCount(quarantined), showCount(actual.quarantined), ''],
    ...(predicted.short === null && actual.refused === null
      ? []
      : [['paid orgs refused for their credits', showKnown(predicted.short), showKnown(actual.refused), '']]),
  ];
}

/** Why stale orgs are left, where it is another reason than their number; nothing otherwise. */
export const describeSkipped = ({ actual: { followUpSkippedAt } }: PlanOutcome, zone: string): readonly string[] =>
  followUpSkippedAt === null ? [] : [`The stale orgs stay: ${describeReplaced(followUpSkippedAt, zone)}. Plan again.`];

/** Null: no run followed the plan. */
export const outcomeDocument = (outcome: PlanOutcome | null): Readonly<Record<string, unknown>> | null =>
  outcome === null ? null : { ...outcome, errorPercent: measureOutcome(outcome) };

const showKnown = (count: number | null): string => (count === null ? '–' : showCount(count));

const showError = (percent: number | null): string =>
  percent === null ? '–' : formatPercentChange(BigInt(Math.round(percent * 10)), 1_000n);

const showDuration = (ms: number): string =>
  ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
