// What a scheduler tells Prometheus: the status of every data center, as numbers. One that cannot read control says so
// at once, and leaves out what it does not know: an old value would be taken for a current one.
import { type Sample, sample, sampleQuarantine, sampleRun } from '../../domain/metrics/metric.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import type { DataCenterStatus, Status } from './read-status.js';
import { readStatusWithin } from './within-time.js';

/**
 * Answers within about `ms`, whatever is down. `tickError`: of the last tick of this process, from its memory: the rows
 * of control tell it of the others only, for what fails may be the writing of the row.
 */
export async function readMetrics(
  context: EngineContext,
  ms: number,
  tickError: string | null = null,
): Promise<readonly Sample[]> {
  try {
    const status = await readStatusWithin(context, ms);
    return [sample('control_reachable', true), ...samplesOfStatus(status, tickError === null ? 0 : 1)];
  } catch (thrown) {
    if (!isRolloutError(explainFailure(thrown))) throw thrown;
    return [sample('control_reachable', false)];
  }
}

function samplesOfStatus(
  { schedulersAlive, queueFailures, tickFailures, webhookFailures, logins, dataCenters }: Status,
  ownFailures: number,
): readonly Sample[] {
  return [
    sample('schedulers_alive', schedulersAlive),
    sample('queue_failing', queueFailures.length),
    sample('ticks_failing', Math.max(tickFailures.length, ownFailures)),
    sample('webhooks_failing', webhookFailures.length),
    sample('excess_logins', logins.length),
    ...dataCenters.flatMap(samplesOf),
  ];
}

function samplesOf(dc: DataCenterStatus): readonly Sample[] {
  const labels = { data_center: dc.id };
  const read = dc.unreachable === null;
  return [
    sample('stage', true, { ...labels, stage: dc.stage }),
    sample('stage_since_timestamp_seconds', toSeconds(dc.stageSince), labels),
    ...(dc.stage === 'failed' ? [sample('failed', true, { ...labels, code: dc.failure ?? 'unknown' })] : []),
    ...dc.holds.flatMap(({ code, needsPerson, since }) => [
      sample('hold', true, { ...labels, code, needs_person: String(needsPerson) }),
      sample('hold_since_timestamp_seconds', toSeconds(since), { ...labels, code }),
    ]),
    sample('cell_reachable', read, labels),
    ...(read ? [sample('frozen', dc.freeze !== null, labels)] : []),
    ...(dc.workersAlive === null ? [] : [sample('workers_alive', dc.workersAlive, labels)]),
    ...(dc.effectiveLanes === null
      ? []
      : [
          sample('effective_lanes', dc.effectiveLanes, labels),
          // a reading of before a pause says nothing of now; one that failed does
          ...dc.checks
            .filter(({ standing, error }) => standing !== 'no_data' || error !== null)
            .map(({ name, standing }) => sample('check_passes', standing === 'pass', { ...labels, check: name })),
        ]),
    ...(dc.progress === null ? [] : sampleRun(dc.id, dc.progress)),
    ...sampleQuarantine(dc.id, dc.quarantined),
    ...(dc.changeFeed?.failure ? [sample('feed_failing', true, { ...labels, code: dc.changeFeed.failure })] : []),
    ...(dc.lastNight === null ? [] : [sample('night_missed', dc.lastNight.state === 'missed', labels)]),
    sample('signups_switched', dc.cutover.latchedAt !== null, labels),
  ];
}

const toSeconds = (at: Date): number => at.getTime() / 1_000;
