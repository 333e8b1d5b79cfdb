// What is left of one data center's rollout, from its newest batches, its windows and its bake.
import { forecastRemaining, type RemainingForecast } from '../../domain/rollout/forecast-remaining.js';
import type { DataCenterSnapshot } from '../../domain/rollout/snapshot.js';
import { estimateRemaining } from '../../domain/time/estimate.js';
import type { RunProgress } from '../../stores/cell/batch/progress.js';
import type { RequestedRollout, RolloutPosition } from '../../stores/control/data-centers.js';

export function forecastDataCenter(
  { lanes, stage, zone, pause }: Pick<DataCenterSnapshot, 'lanes' | 'stage' | 'zone' | 'pause'>,
  { settings, bakeUntil }: Pick<RequestedRollout & RolloutPosition, 'settings' | 'bakeUntil'>,
  progress: RunProgress | null,
  now: Date,
): RemainingForecast | null {
  const { windows = [], bakeMs = 0 } = settings ?? {};
  const work = progress === null ? undefined : estimate(progress, lanes);
  const pausedUntil = pause === null ? undefined : pause.until;
  return forecastRemaining({ stage, work, windows, zone, bakeMs, bakeUntil, pausedUntil }, now);
}

const estimate = (progress: RunProgress, lanes: number): ReturnType<typeof estimateRemaining> =>
  estimateRemaining({
    doneOrgs: progress.orgsDone,
    totalOrgs: progress.orgsExpected,
    batchDurationsMs: progress.recent.map((batch) => batch.durationMs),
    batchOrgs: progress.recent.reduce((sum, batch) => sum + batch.orgs, 0) / Math.max(progress.recent.length, 1),
    lanes,
  });
