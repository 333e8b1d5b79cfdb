// What a process tells Prometheus: every metric with its meaning and labels. All are gauges that are read from rows, so
// several replicas say the same and must not be added up. Labels are data centers, stages and codes: never an org, a
// person or a text of a server.
import { nameReasons } from '../source/org-inputs.js';

interface MetricMeaning {
  readonly help: string;
  readonly labels: readonly MetricLabel[];
}

export type MetricLabel = 'data_center' | 'stage' | 'code' | 'needs_person' | 'reason' | 'check';

/** Without their prefix `credit_rollout_`. */
export const METRICS = {
  control_reachable: {
    help: '1 when control answered, else 0 and nothing else is known; schedulers only',
    labels: [],
  },
  schedulers_alive: { help: 'schedulers that were seen in the last 15 seconds', labels: [] },
  queue_failing: { help: 'schedulers that cannot use their queue', labels: [] },
  ticks_failing: { help: 'schedulers whose last tick failed as a whole, so that they take no step', labels: [] },
  webhooks_failing: { help: 'webhooks that do not take their messages', labels: [] },
  excess_logins: { help: 'logins of running processes that may do more than their work', labels: [] },
  stage: { help: '1 for the stage of the data center', labels: ['data_center', 'stage'] },
  stage_since_timestamp_seconds: { help: 'since when it is at its stage', labels: ['data_center'] },
  failed: { help: '1 when the data center is at stage failed, with the error code', labels: ['data_center', 'code'] },
  hold: {
    help: '1 for each reason why it does not move; needs_person: it does not end by itself',
    labels: ['data_center', 'code', 'needs_person'],
  },
  hold_since_timestamp_seconds: { help: 'since when it is held for this reason', labels: ['data_center', 'code'] },
  cell_reachable: { help: '1 when the database of the data center answered, else 0', labels: ['data_center'] },
  frozen: { help: '1 when all writes in the data center are stopped by a freeze', labels: ['data_center'] },
  workers_alive: { help: 'workers that were seen in the last 15 seconds', labels: ['data_center'] },
  effective_lanes: {
    help: 'lanes that the checks allow to write now; missing while nothing may write',
    labels: ['data_center'],
  },
  check_passes: {
    help: '1 below its limit, 0 at it or not readable; missing while nothing reads it',
    labels: ['data_center', 'check'],
  },
  batches: { help: 'batches of the newest run', labels: ['data_center'] },
  batches_done: { help: 'batches of the newest run that are written', labels: ['data_center'] },
  batches_verified: { help: 'batches of the newest run that are verified', labels: ['data_center'] },
  orgs_done: { help: 'orgs of the newest run whose batch is written', labels: ['data_center'] },
  orgs_quarantined: {
    help: 'orgs of the newest run that could not be decided',
    labels: ['data_center', 'reason'],
  },
  mismatches: { help: 'orgs of the newest run whose verification found a mismatch', labels: ['data_center'] },
  feed_failing: { help: '1 when the last search of the change feed failed', labels: ['data_center', 'code'] },
  night_missed: { help: '1 when the newest nightly run was missed, else 0', labels: ['data_center'] },
  signups_switched: { help: '1 when new sign-ups start on credits', labels: ['data_center'] },
} as const satisfies Readonly<Record<string, MetricMeaning>>;

export type MetricName = keyof typeof METRICS;

export interface Sample {
  readonly name: MetricName;
  readonly labels: Readonly<Partial<Record<MetricLabel, string>>>;
  readonly value: number;
}

export const METRIC_PREFIX = 'credit_rollout_';

export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

/** A condition or a count; of a condition that is not so, a sample with 0. */
export const sample = (name: MetricName, value: number | boolean, labels: Sample['labels'] = {}): Sample => ({
  name,
  labels,
  value: Number(value),
});

/** What is known of the newest run of a data center. */
export interface RunFacts {
  readonly batches: number;
  readonly done: number;
  readonly verified: number;
  readonly orgsDone: number;
  readonly mismatches: number;
}

export function sampleRun(dataCenter: string, run: RunFacts): readonly Sample[] {
  const labels = { data_center: dataCenter };
  return [
    sample('batches', run.batches, labels),
    sample('batches_done', run.done, labels),
    sample('batches_verified', run.verified, labels),
    sample('orgs_done', run.orgsDone, labels),
    sample('mismatches', run.mismatches, labels),
  ];
}

export const sampleQuarantine = (
  dataCenter: string,
  counts: readonly { readonly reason: string; readonly orgs: number }[],
): readonly Sample[] =>
  nameReasons(counts).map(({ reason, orgs }) => sample('orgs_quarantined', orgs, { data_center: dataCenter, reason }));
