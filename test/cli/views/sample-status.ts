// A status to render: one data center, paused in the middle.
import { createCommandNames } from '../../../src/cli/terminal/command-names.js';
import { byCommand } from '../../../src/domain/rollout/hold.js';
import type { DataCenterStatus, Status } from '../../../src/engine/operate/read-status.js';

/** Commands as `credit-rollout VERB`. */
export const sampleCommands = createCommandNames({ script: undefined, config: undefined });

const AT = new Date('2026-11-22T14:00:00Z');
type Progress = NonNullable<DataCenterStatus['progress']>;

export function sampleProgress(own: Partial<Progress> = {}): Progress {
  return {
    canary: { passed: true, pending: 0, unverified: 0, mismatches: 0, verifiedForMs: null },
    staleLeft: 0,
    touched: 50,
    followedUp: false,
    followUpSkippedAt: null,
    batches: 2,
    done: 1,
    pending: 1,
    verified: 0,
    orgsExpected: 100,
    orgsDone: 50,
    orgsVerified: 0,
    inserted: 50,
    raised: 0,
    unchanged: 0,
    stale: 0,
    quarantined: 0,
    falls: 0,
    legacyWins: 10,
    mismatches: 0,
    changedSince: 0,
    appeared: 0,
    totalCredits: '2000',
    beforeCredits: '1000',
    afterCredits: '1000',
    floors: '0',
    lastDoneAt: AT,
    idleMs: 0,
    otherTimeline: 0,
    recent: [{ durationMs: 100, orgs: 50 }],
    ...own,
  };
}

export function sampleDataCenter(own: Partial<DataCenterStatus>): DataCenterStatus {
  return {
    id: 'eu',
    zone: 'Europe/Berlin',
    stage: 'migrating',
    stageSince: AT,
    intent: 'pause',
    pause: null,
    revision: 3,
    lanes: 2,
    state: 'paused',
    requestedAt: null,
    requestedBy: null,
    undoRequested: false,
    undoFailed: false,
    runId: 1n,
    planId: null,
    cardHash: null,
    holds: [
      {
        code: 'paused',
        value: null,
        limit: null,
        release: byCommand('resume', '--dc', 'eu'),
        needsPerson: true,
        since: AT,
      },
    ],
    failure: null,
    progress: sampleProgress(),
    remaining: null,
    duration: null,
    quarantined: [],
    leftOut: 0,
    workersAlive: 1,
    effectiveLanes: null,
    checks: [],
    checkLimits: [],
    freeze: null,
    blockers: [],
    changeFeed: null,
    waitingSignUps: null,
    unreachable: null,
    wrongCell: null,
    lastRun: null,
    cutover: { configuredAt: null, configuredLocal: null, effectiveAt: null, latchedAt: null, sweptAt: null },
    maintenance: null,
    lastNight: null,
    falls: null,
    next: byCommand('resume', '--dc', 'eu'),
    ...own,
  };
}

export const sampleStatus = (dc: DataCenterStatus = sampleDataCenter({})): Status => ({
  at: AT,
  card: null,
  schedulersAlive: 1,
  queueFailures: [],
  tickFailures: [],
  webhookFailures: [],
  auditCut: null,
  logins: [],
  dataCenters: [dc],
});
