// Where everything is, why it is not moving, since when, and the command that moves it.

import { nameState, needsScheduler, nextCommand } from '../../domain/rollout/data-center-state.js';
import { decideDataCenter } from '../../domain/rollout/decide-data-center.js';
import { byCommand, createHold, type Hold, type ReleaseCommand } from '../../domain/rollout/hold.js';
import type { DataCenterSnapshot, FreezeReading, GateReading, MaintenanceRun } from '../../domain/rollout/snapshot.js';
import type { Intent, Stage } from '../../domain/rollout/stage.js';
import { estimateRemaining, type RemainingEstimate } from '../../domain/time/estimate.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { countQuarantine, type RunProgress, readProgress } from '../../stores/cell/batch/progress.js';
import { findRun } from '../../stores/cell/batch/runs.js';
import { readWorkers } from '../../stores/cell/batch/workers.js';
import { isControlReady } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { type DueWorkRow, listDueWork } from '../../stores/control/due-work.js';
import { listHolds } from '../../stores/control/holds.js';
import { readRollout } from '../../stores/control/rollout.js';
import { type ControlRun, listNewestRollouts } from '../../stores/control/runs.js';
import { readSchedulers, type Schedulers } from '../../stores/control/schedulers.js';
import type { EngineContext } from '../context.js';
import { readSnapshot } from '../scheduler/read-snapshot.js';

export type { RunProgress } from '../../stores/cell/batch/progress.js';

export interface StatusHold extends Hold {
  readonly since: Date;
}

export interface DataCenterStatus {
  readonly id: string;
  readonly zone: string;
  readonly stage: Stage;
  readonly stageSince: Date;
  readonly intent: Intent;
  /** running, pausing, paused, aborting, waiting, or the stage where nothing is under way. */
  readonly state: string;
  readonly requestedAt: Date | null;
  readonly requestedBy: string | null;
  readonly runId: bigint | null;
  readonly holds: readonly StatusHold[];
  readonly failure: string | null;
  /** Null when the cell cannot be read or knows no run. */
  readonly progress: RunProgress | null;
  readonly remaining: RemainingEstimate | null;
  readonly quarantined: readonly { readonly reason: string; readonly orgs: number }[];
  readonly workersAlive: number | null;
  /** Null when it is not frozen, or the cell cannot be read. */
  readonly freeze: FreezeReading | null;
  /** Code of why the cell cannot be read; null when it can. */
  readonly unreachable: string | null;
  /** The newest rollout. */
  readonly lastRun: ControlRun | null;
  /** The sign-up gate, with the instant that is configured for it. */
  readonly cutover: GateReading & { readonly configuredLocal: string | null };
  /** The night, reconciliation or sweep that is under way. */
  readonly maintenance: MaintenanceRun | null;
  /** The newest night that is over. */
  readonly lastNight: Pick<DueWorkRow, 'localDate' | 'state' | 'note' | 'counts'> | null;
  /** The command to try next; null while it moves by itself. */
  readonly next: ReleaseCommand | null;
}

export interface Status {
  readonly at: Date;
  readonly card: string | null;
  readonly schedulersAlive: number;
  readonly dataCenters: readonly DataCenterStatus[];
}

/** Throws not_initialised before the first `init`. */
export async function readStatus(context: EngineContext): Promise<Status> {
  const known = await context.control.inTransaction(isControlReady);
  if (!known) throw new RolloutError('not_initialised', { message: 'The control database has not been initialised.' });
  const snapshot = await readSnapshot(context, 'all');
  const { rollout, schedulers, runs } = await context.control.inTransaction(async (tx) => ({
    rollout: await readRollout(tx),
    schedulers: await readSchedulers(tx),
    runs: await listNewestRollouts(tx),
  }));
  const dataCenters = await Promise.all(
    snapshot.dataCenters.map(async (dc) => {
      const row = snapshot.rows.get(dc.id) as DataCenterRow;
      const holds = [
        ...schedulerHold(dc, schedulers, snapshot.now),
        ...(await sinceWhen(context, dc.id, snapshot.now, decideDataCenter(snapshot, dc).holds)),
      ];
      return readOne(context, dc, row, holds, runs);
    }),
  );
  return { at: snapshot.now, card: rollout.cardHash, schedulersAlive: schedulers.alive, dataCenters };
}

const schedulerHold = (dc: DataCenterSnapshot, { alive, lastSeenAt }: Schedulers, now: Date): readonly StatusHold[] =>
  alive === 0 && needsScheduler(dc)
    ? [{ ...createHold('no_scheduler', byCommand('up'), '0', '1'), since: lastSeenAt ?? now }]
    : [];

/** A hold that the scheduler has recorded keeps its `since`; one that is new is as old as this look. */
async function sinceWhen(
  context: EngineContext,
  dataCenter: string,
  now: Date,
  holds: readonly Hold[],
): Promise<readonly StatusHold[]> {
  const recorded = await context.control.inTransaction((tx) => listHolds(tx, dataCenter));
  return holds.map((hold) => ({ ...hold, since: recorded.find((row) => row.code === hold.code)?.since ?? now }));
}

async function readOne(
  context: EngineContext,
  dc: DataCenterSnapshot,
  row: DataCenterRow,
  holds: readonly StatusHold[],
  runs: readonly ControlRun[],
): Promise<DataCenterStatus> {
  const reading = await readRun(context, dc);
  const { progress } = reading;
  const left = progress && dc.stage === 'migrating' ? remaining(progress, dc.lanes) : undefined;
  return {
    id: row.id,
    zone: row.zone,
    stage: row.stage,
    stageSince: row.stageSince,
    intent: row.intent,
    state: nameState(dc),
    requestedAt: row.requestedAt,
    requestedBy: row.requestedBy,
    runId: row.runId,
    holds,
    failure: row.failure,
    progress,
    remaining: left ?? null,
    quarantined: reading.quarantined,
    workersAlive: reading.workersAlive,
    freeze: readFreeze(dc),
    unreachable: dc.cell?.kind === 'unreachable' ? dc.cell.code : null,
    lastRun: runs.find((run) => run.dataCenter === row.id) ?? null,
    cutover: {
      ...(dc.cell?.kind === 'read' ? dc.cell.gate : dc.knownGate),
      configuredAt: dc.cutoverAt,
      configuredLocal: dc.cutoverLocal,
    },
    maintenance: dc.maintenance.open,
    lastNight: await findLastNight(context, row.id),
    next: nextCommand(dc, holds),
  };
}

/** Who froze the cell, since when and why: what a person is told of its row. */
function readFreeze({ cell }: DataCenterSnapshot): FreezeReading | null {
  if (cell?.kind !== 'read' || cell.freeze === null) return null;
  const { since, by, reason } = cell.freeze;
  return { since, by, reason };
}

const remaining = (progress: RunProgress, lanes: number): RemainingEstimate | undefined =>
  estimateRemaining({
    doneOrgs: progress.orgsDone,
    totalOrgs: progress.orgsExpected,
    batchDurationsMs: progress.recent.map((batch) => batch.durationMs),
    batchOrgs: progress.recent.reduce((sum, batch) => sum + batch.orgs, 0) / Math.max(progress.recent.length, 1),
    lanes,
  });

async function findLastNight(context: EngineContext, dataCenter: string): Promise<DataCenterStatus['lastNight']> {
  const rows = await context.control.inTransaction((tx) => listDueWork(tx, { dataCenter, limit: 20 }));
  const night = rows.find(({ work, endedAt }) => work === 'reconcile' && endedAt !== null);
  return night === undefined
    ? null
    : { localDate: night.localDate, state: night.state, note: night.note, counts: night.counts };
}

interface RunOfCell {
  readonly progress: RunProgress | null;
  readonly quarantined: readonly { readonly reason: string; readonly orgs: number }[];
  readonly workersAlive: number | null;
}

async function readRun(context: EngineContext, dc: DataCenterSnapshot): Promise<RunOfCell> {
  const { runId, cell } = dc;
  if (cell?.kind !== 'read') return { progress: null, quarantined: [], workersAlive: null };
  return context.cells.get(dc.id).inTransaction('fencer', async (tx) => {
    const run = runId === null ? undefined : await findRun(tx, runId);
    return {
      progress: run ? await readProgress(tx, run.runId) : null,
      quarantined: run ? await countQuarantine(tx, run.runId) : [],
      workersAlive: (await readWorkers(tx)).alive,
    };
  });
}
