// Reads everything that a decision needs: control's rows, then the cells in which something is due.
import type { CheckInForce } from '../../domain/checks/check-limit.js';
import { isGateDue } from '../../domain/rollout/decide-gate.js';
import { isMaintenanceDue } from '../../domain/rollout/decide-maintenance.js';
import type { DataCenterSnapshot, Snapshot } from '../../domain/rollout/snapshot.js';
import { RESTING_STAGES, SLOT_STAGES } from '../../domain/rollout/stage.js';
import { isWindowOpen } from '../../domain/windows/windows.js';
import { listChecksInForce } from '../../stores/control/check-limits.js';
import { readControlClock } from '../../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters } from '../../stores/control/data-centers.js';
import { type FailedStep, listFailedSteps } from '../../stores/control/failed-steps.js';
import { listMaintenance, type MaintenanceRow } from '../../stores/control/maintenance.js';
import { listOpenUndos } from '../../stores/control/undo-requests.js';
import type { EngineContext } from '../context.js';
import { toLastSeenGate } from '../cutover/cutover-facts.js';
import { toPause } from '../data-center.js';
import { readPlan } from '../plan/read-plan-state.js';
import { readCell } from '../rollout/read-cell.js';

export interface SeenSnapshot extends Snapshot {
  /** The rows behind the snapshot, for compare-and-set. */
  readonly rows: ReadonlyMap<string, DataCenterRow>;
}

/** Reads control and, for data centers in which something is due, their cells. `all` reads every cell. */
export async function readSnapshot(
  context: Pick<EngineContext, 'control' | 'cells'>,
  scope: 'due' | 'all',
): Promise<SeenSnapshot> {
  const { now, rows, maintenanceOf, failedOf, checksOf, undos } = await context.control.inTransaction(async (tx) => ({
    now: await readControlClock(tx),
    rows: await listDataCenters(tx),
    maintenanceOf: await listMaintenance(tx),
    failedOf: await listFailedSteps(tx),
    checksOf: await listChecksInForce(tx),
    undos: await listOpenUndos(tx),
  }));
  const dataCenters = await Promise.all(
    rows.map((row) =>
      readDataCenter(context, {
        ...{ row, maintenance: maintenanceOf(row.id), failedSteps: failedOf(row.id), checks: checksOf(row.id) },
        ...{ now, scope, undoRequested: undos.some((one) => one.dataCenter === row.id && one.runId === null) },
      }),
    ),
  );
  return { now, dataCenters, rows: new Map(rows.map((row) => [row.id, row])) };
}

const isDue = (
  row: Pick<DataCenterRow, 'stage' | 'fenceConfirmedClosed' | 'requestedAt' | 'settings' | 'bakeUntil'>,
  now: Date,
): boolean =>
  SLOT_STAGES.includes(row.stage) ||
  !row.fenceConfirmedClosed ||
  row.requestedAt !== null ||
  // at the end of its bake the cell is read, because it may be frozen
  (row.stage === 'baking' && (row.settings?.bakeQuery !== undefined || row.bakeUntil === null || row.bakeUntil <= now));

/** What the next step is, where checks may hold it. */
const asks = (
  { stage, requestedAt, bakeUntil }: Pick<DataCenterRow, 'stage' | 'requestedAt' | 'bakeUntil'>,
  now: Date,
): 'start' | 'bake' | undefined => {
  if (stage === 'baking') return bakeUntil === null || bakeUntil <= now ? 'bake' : undefined;
  return requestedAt !== null && RESTING_STAGES.includes(stage) ? 'start' : undefined;
};

interface Reading {
  readonly row: DataCenterRow;
  readonly maintenance: MaintenanceRow;
  readonly failedSteps: readonly FailedStep[];
  readonly checks: readonly CheckInForce[];
  readonly now: Date;
  readonly scope: 'due' | 'all';
  readonly undoRequested: boolean;
}

async function readDataCenter(
  { control, cells }: Pick<EngineContext, 'control' | 'cells'>,
  { row, maintenance, failedSteps, checks, now, scope, undoRequested }: Reading,
): Promise<DataCenterSnapshot> {
  const known: DataCenterSnapshot = {
    ...toKnown(row, maintenance, now),
    failedSteps,
    undoRequested,
    plan: await readPlan({ control, cells }, row, now),
    cell: undefined,
  };
  const due = scope === 'all' || undoRequested || isDue(row, now) || isMaintenanceDue(known) || isGateDue(known, now);
  if (!due) return known;
  const bakeQuery = row.stage === 'baking' ? row.settings?.bakeQuery : undefined;
  const maintenanceId = maintenance.open?.runId ?? null;
  // a request of a version that had no checks goes on without
  const ofRun = row.settings?.checks === undefined ? undefined : { checks, now };
  const question = {
    runId: row.runId,
    adoption: row.adoption,
    bakeQuery,
    maintenanceId,
    checks: ofRun,
    ask: asks(row, now),
  };
  return { ...known, cell: await readCell(() => cells.get(row.id), question) };
}

/** The part of a snapshot that comes from control's rows. */
function toKnown(
  row: DataCenterRow,
  { open, closedEpoch, night, request, failedAt }: MaintenanceRow,
  now: Date,
): Omit<DataCenterSnapshot, 'plan' | 'cell' | 'failedSteps' | 'undoRequested'> {
  return {
    id: row.id,
    position: row.position,
    zone: row.zone,
    stage: row.stage,
    intent: row.intent,
    pause: toPause(row),
    fenceConfirmedClosed: row.fenceConfirmedClosed,
    requested: row.requestedAt !== null,
    undoFailed: row.undoFailed,
    runId: row.runId,
    epoch: row.epoch,
    notBeforeAt: row.notBeforeAt,
    notBeforeLocal: row.notBeforeLocal,
    cutoverAt: row.cutoverAt,
    cutoverLocal: row.cutoverLocal,
    knownGate: toLastSeenGate(row),
    singleWrites: row.singleWrites,
    maintenance: { open, closedEpoch, night, requested: request !== null, failedAt },
    bakeUntil: row.bakeUntil,
    lanes: row.lanes ?? row.settings?.lanes ?? 1,
    canaryWaitMs: row.settings?.canaryWaitMs ?? 0,
    orgsTouched: row.settings?.guardRails?.orgsTouched ?? null,
    window: isWindowOpen(row.settings?.windows ?? [], row.zone, now),
  };
}
