// `status`: where every data center is, what it waits for and since when, and the command that releases it. Reads only.
import { areChecksRead, effectiveLanes } from '../../domain/rollout/check-holds.js';
import { nameState, nextCommand } from '../../domain/rollout/data-center-state.js';
import { decideDataCenter } from '../../domain/rollout/decide-data-center.js';
import { isUndoDue } from '../../domain/rollout/decide-undo.js';
import type { RemainingForecast } from '../../domain/rollout/forecast-remaining.js';
import type { ReleaseCommand } from '../../domain/rollout/hold.js';
import type {
  DataCenterSnapshot,
  FreezeReading,
  GateReading,
  MaintenanceRun,
  PauseReading,
  Snapshot,
} from '../../domain/rollout/snapshot.js';
import type { Intent, Stage } from '../../domain/rollout/stage.js';
import type { RunProgress } from '../../stores/cell/batch/progress.js';
import type { Blocker } from '../../stores/cell/blockers.js';
import type { FeedState } from '../../stores/cell/feed/feed.js';
import { type FallsProposal, listWaitingFalls } from '../../stores/control/accepted-falls.js';
import { type CutProposal, findOpenAuditCut } from '../../stores/control/audit-cuts.js';
import { type CheckLimit, listCheckLimits } from '../../stores/control/check-limits.js';
import { type ControlFacts, readControlFacts } from '../../stores/control/control-database.js';
import type {
  DataCenterRow,
  RequestedRollout,
  RolloutPosition,
  RolloutRun,
} from '../../stores/control/data-centers.js';
import { type DueWorkRow, listDueWork } from '../../stores/control/due-work.js';
import { isEmbedded, readRollout } from '../../stores/control/rollout.js';
import { type ControlRun, listNewestRollouts } from '../../stores/control/runs.js';
import {
  listQueueFailures,
  listSchedulerLogins,
  listTickFailures,
  readSchedulers,
  type SchedulerFailure,
  type Schedulers,
} from '../../stores/control/schedulers.js';
import { type FailingWebhook, listFailingWebhooks } from '../../stores/control/webhooks.js';
import { assertControlReady } from '../assert-control-ready.js';
import type { EngineContext } from '../context.js';
import type { SplitDuration } from '../hold-durations.js';
import { readSnapshot } from '../scheduler/read-snapshot.js';
import { forecastDataCenter } from './forecast-data-center.js';
import { type CheckStatus, listChecks } from './list-checks.js';
import { readNextFacts } from './read-next-facts.js';
import { type ExcessLogin, type ExplainedSignUps, readRunOfCell, toExcess } from './read-run-of-cell.js';
import { readWrongCell, type WrongCell } from './read-wrong-cell.js';
import { loadStatusHolds, readRolloutDuration, type StatusHold, schedulerHold } from './status-holds.js';

export type { RunProgress } from '../../stores/cell/batch/progress.js';
export type { ExcessLogin } from './read-run-of-cell.js';
export type { StatusHold } from './status-holds.js';

export interface DataCenterStatus {
  readonly id: string;
  readonly zone: string;
  readonly stage: Stage;
  readonly stageSince: Date;
  readonly intent: Intent;
  /** Null: it is not paused. */
  readonly pause: PauseReading | null;
  /** Grows with what a command changes. */
  readonly revision: number;
  readonly lanes: number;
  /** As nameState names it. */
  readonly state: string;
  readonly requestedAt: Date | null;
  readonly requestedBy: string | null;
  /** An undo is asked for that has not begun. */
  readonly undoRequested: boolean;
  /** It is at stage `failed`, and what failed is an undo. */
  readonly undoFailed: boolean;
  readonly runId: bigint | null;
  /** The plan and the card of the newest request; null: none yet. */
  readonly planId: string | null;
  readonly cardHash: string | null;
  readonly holds: readonly StatusHold[];
  readonly failure: string | null;
  /** Null when the cell cannot be read or knows no run. */
  readonly progress: RunProgress | null;
  /** Until it is done; null: not known. */
  readonly remaining: RemainingForecast | null;
  readonly quarantined: readonly { readonly reason: string; readonly orgs: number }[];
  /** Orgs whose ids are too long, when a plan or a night counted last; 0 also where the cell cannot be read. */
  readonly leftOut: number;
  readonly workersAlive: number | null;
  /** Lanes that may write now; null: nothing is checked while nothing may write, or it is not known. */
  readonly effectiveLanes: number | null;
  /** The checks that hold writes, as they were read last. */
  readonly checks: readonly CheckStatus[];
  /** What operators set of its checks. */
  readonly checkLimits: readonly CheckLimit[];
  /** Null when it is not frozen, or the cell cannot be read. */
  readonly freeze: FreezeReading | null;
  /** Sessions whose locks keep the work that is under way from going on. */
  readonly blockers: readonly Blocker[];
  /** Error code when the cell cannot be read; null when it can. */
  readonly unreachable: string | null;
  /** Where that is `wrong_cell`. */
  readonly wrongCell: WrongCell | null;
  /** The newest rollout. */
  readonly lastRun: ControlRun | null;
  /** Of the rollout that is requested or under way, else of the newest; null: there was none, or it is not known. */
  readonly duration: SplitDuration | null;
  /** The sign-up gate, with the instant that is configured for it. */
  readonly cutover: GateReading & { readonly configuredLocal: string | null };
  /** The nightly run, reconciliation or sweep that is under way. */
  readonly maintenance: MaintenanceRun | null;
  /** The newest night that has ended. */
  readonly lastNight: Pick<DueWorkRow, 'localDate' | 'state' | 'note' | 'counts'> | null;
  /** The proposal to accept falls beyond the limits of a night that no run executes yet. */
  readonly falls: FallsProposal | null;
  /** What the change feed meets; null: the cell cannot be read, or the feed does not write there now. */
  readonly changeFeed: FeedState | null;
  /** Sign-ups that are recorded and not written yet; null: none, or the cell cannot be read. */
  readonly waitingSignUps: ExplainedSignUps | null;
  /** The command to try next; while it goes on by itself, the one that waits for its end. */
  readonly next: ReleaseCommand;
}

export interface Status {
  readonly at: Date;
  readonly card: string | null;
  readonly schedulersAlive: number;
  /** Of schedulers that run and cannot use their queue: they take their steps without it, some seconds later. */
  readonly queueFailures: readonly SchedulerFailure[];
  /** Of schedulers that run and whose last tick failed as a whole: they take no step. */
  readonly tickFailures: readonly SchedulerFailure[];
  /** Webhooks that do not take their messages; they hold nothing. */
  readonly webhookFailures: readonly FailingWebhook[];
  /** The proposal to accept a loss of the audit that waits for its approval. */
  readonly auditCut: CutProposal | null;
  /** Running processes whose login may do more than their work; none where one login is for everything by design. */
  readonly logins: readonly ExcessLogin[];
  readonly dataCenters: readonly DataCenterStatus[];
}

/** Throws not_initialised before the first `init`. */
export async function readStatus(context: EngineContext): Promise<Status> {
  await assertControlReady(context);
  const snapshot = await readSnapshot(context, 'all');
  const { rollout, embedded, ofSchedulers, queueFailures, tickFailures, webhookFailures, auditCut, ...known } =
    await context.control.inTransaction(async (tx) => ({
      rollout: await readRollout(tx),
      schedulers: { ...(await readSchedulers(tx)), readOnly: (await readControlFacts(tx)).readOnly },
      runs: await listNewestRollouts(tx),
      falls: await listWaitingFalls(tx),
      limits: await listCheckLimits(tx),
      embedded: await isEmbedded(tx),
      ofSchedulers: await listSchedulerLogins(tx),
      queueFailures: await listQueueFailures(tx),
      tickFailures: await listTickFailures(tx),
      webhookFailures: await listFailingWebhooks(tx),
      auditCut: await findOpenAuditCut(tx),
    }));
  const read = await Promise.all(
    snapshot.dataCenters.flatMap((dc) => {
      const row = snapshot.rows.get(dc.id);
      return row === undefined ? [] : [readDataCenter(context, snapshot, dc, row, known)];
    }),
  );
  const inControl = ofSchedulers.map((login) => toExcess('scheduler', null, login));
  const logins = [...read.flatMap((one) => one.logins), ...inControl].filter(({ powers }) => powers.length > 0);
  return {
    at: snapshot.now,
    card: rollout.cardHash,
    schedulersAlive: known.schedulers.alive,
    queueFailures,
    tickFailures,
    webhookFailures,
    auditCut,
    logins: embedded ? [] : logins,
    dataCenters: leadToFailure(read.map(({ status }) => status)),
  };
}

/** What waits for a data center that failed is released by what helps that one. */
const leadToFailure = (all: readonly DataCenterStatus[]): readonly DataCenterStatus[] =>
  all.map((dc) => ({
    ...dc,
    holds: dc.holds.map((hold) => {
      const failed = hold.code === 'predecessor_failed' ? all.find(({ id }) => id === hold.value) : undefined;
      return failed === undefined ? hold : { ...hold, release: failed.next };
    }),
  }));

/** What the status shows of control's row. */
type StatusRow = Pick<DataCenterRow, 'id' | 'zone' | 'revision'> & RequestedRollout & RolloutRun & RolloutPosition;

/** What the status shows of other tables of control. */
interface KnownInControl {
  readonly schedulers: Schedulers & Pick<ControlFacts, 'readOnly'>;
  readonly runs: readonly ControlRun[];
  readonly falls: readonly FallsProposal[];
  readonly limits: readonly CheckLimit[];
}

async function readDataCenter(
  context: EngineContext,
  snapshot: Snapshot,
  dc: DataCenterSnapshot,
  row: StatusRow,
  { schedulers, runs, falls, limits }: KnownInControl,
): Promise<{ readonly status: DataCenterStatus; readonly logins: readonly ExcessLogin[] }> {
  const lastRun = runs.find((run) => run.dataCenter === row.id) ?? null;
  const holds = [
    ...schedulerHold(dc, schedulers, snapshot.now),
    ...(await loadStatusHolds(context, dc, snapshot.now, decideDataCenter(snapshot, dc).holds)),
  ];
  const reading = await readRunOfCell(context, dc);
  const { progress } = reading;
  const status: DataCenterStatus = {
    id: row.id,
    zone: row.zone,
    stage: row.stage,
    stageSince: row.stageSince,
    intent: row.intent,
    pause: dc.pause,
    revision: row.revision,
    lanes: dc.lanes,
    state: nameState(dc),
    requestedAt: row.requestedAt,
    requestedBy: row.requestedBy,
    undoRequested: isUndoDue(dc),
    undoFailed: row.undoFailed,
    runId: row.runId,
    planId: row.planId,
    cardHash: row.settings?.cardHash ?? null,
    holds,
    failure: row.failure,
    progress,
    remaining: forecastDataCenter(dc, row, progress, snapshot.now),
    quarantined: reading.quarantined,
    leftOut: reading.leftOut,
    workersAlive: reading.workersAlive,
    effectiveLanes: areChecksRead(dc) ? effectiveLanes(dc) : null,
    checks: listChecks(dc),
    checkLimits: limits.filter(({ dataCenter }) => dataCenter === row.id),
    freeze: toFreeze(dc),
    blockers: reading.blockers,
    changeFeed: dc.singleWrites ? reading.changeFeed : null,
    waitingSignUps: reading.waitingSignUps,
    unreachable: dc.cell?.kind === 'unreachable' ? dc.cell.code : null,
    wrongCell: await readWrongCell(context, dc),
    lastRun,
    duration: await readRolloutDuration(context, row, lastRun, snapshot.now),
    cutover: {
      ...(dc.cell?.kind === 'read' ? dc.cell.gate : dc.knownGate),
      configuredAt: dc.cutoverAt,
      configuredLocal: dc.cutoverLocal,
    },
    maintenance: dc.maintenance.open,
    lastNight: await findLastNight(context, row.id),
    falls: falls.find(({ dataCenter }) => dataCenter === row.id) ?? null,
    next: nextCommand(dc, holds, await readNextFacts(context, dc, row.failure, snapshot.now)),
  };
  return { status, logins: reading.logins };
}

/** Who froze the cell, since when and why. */
function toFreeze({ cell }: DataCenterSnapshot): FreezeReading | null {
  if (cell?.kind !== 'read' || cell.freeze === null) return null;
  const { since, by, reason } = cell.freeze;
  return { since, by, reason };
}

async function findLastNight(context: EngineContext, dataCenter: string): Promise<DataCenterStatus['lastNight']> {
  const rows = await context.control.inTransaction((tx) => listDueWork(tx, { dataCenter, limit: 20 }));
  const night = rows.find(({ work, endedAt }) => work === 'reconcile' && endedAt !== null);
  return night === undefined
    ? null
    : { localDate: night.localDate, state: night.state, note: night.note, counts: night.counts };
}
