// Compares every idle data center with its cell. One that was verified and is not any more goes back to pending and
// is requested again; one that was undone and is not any more has failed, and so has one whose undo control does not
// know; a fence that is open although no run is under
// way is closed by the next tick. Ends runs that control does not know.
import { decideAudit, decideUndoneAudit, isLeftOpen, isUndoForgotten } from '../../domain/rollout/decide-audit.js';
import type { CellReading } from '../../domain/rollout/snapshot.js';
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { appendAudit } from '../../stores/control/audit.js';
import { readControlClock } from '../../stores/control/control-database.js';
import {
  type DataCenterRow,
  type DataCenterVersion,
  type LastSeenGate,
  listDataCenters,
  type RolloutPosition,
  transitionDataCenter,
} from '../../stores/control/data-centers.js';
import { listMaintenance } from '../../stores/control/maintenance.js';
import type { EngineContext } from '../context.js';
import { endForgottenRuns } from '../end-forgotten-runs.js';
import { readCell } from '../rollout/read-cell.js';

/** Checks every data center in which no run is under way; returns the ids in which something was wrong. */
export async function auditCells(context: EngineContext): Promise<readonly string[]> {
  const { rows, maintenanceOf } = await context.control.inTransaction(async (tx) => ({
    rows: await listDataCenters(tx),
    maintenanceOf: await listMaintenance(tx),
  }));
  const atRest = rows.filter(
    (row) => (row.stage === 'baking' || RESTING_STAGES.includes(row.stage)) && maintenanceOf(row.id).open === null,
  );
  const found = await Promise.all(atRest.map((row) => auditOne(context, row)));
  return found.filter((id) => id !== undefined);
}

async function auditOne(context: EngineContext, row: DataCenterRow): Promise<string | undefined> {
  const reading = await readCell(() => context.cells.get(row.id), { runId: row.runId, adoption: row.adoption });
  if (isUndoForgotten(row.stage, reading))
    return fail(context, row, 'undo_forgotten', 'the cell has an undo that control does not know');
  const isVerified = (row.stage === 'done' || row.stage === 'baking') && row.requestedAt === null;
  const reason = isVerified ? decideAudit(row, reading) : undefined;
  if (reason !== undefined) return reopen(context, row, reason);
  const isUndone = row.stage === 'undone' && row.requestedAt === null;
  const lost = isUndone ? decideUndoneAudit(row, reading) : undefined;
  if (lost !== undefined) return fail(context, row, 'undo_lost', lost);
  // the next tick closes every fence that is not confirmed closed
  if (row.fenceConfirmedClosed && isLeftOpen(reading)) return unconfirm(context, row);
  await recordReading(context, row, reading);
  if (reading.kind !== 'read') return undefined;
  return (await endForgottenRuns(context, row.id)) ? row.id : undefined;
}

/** A cell that was frozen, restored or latched by hand differs from what control has recorded of it. */
async function recordReading(
  context: EngineContext,
  row: DataCenterVersion & LastSeenGate & Pick<RolloutPosition, 'singleWrites'>,
  reading: CellReading,
): Promise<void> {
  if (reading.kind !== 'read') return;
  const { gate, fence } = reading;
  const found = {
    singleWrites: fence.singleWrites,
    gateConfiguredAt: gate.configuredAt,
    gateEffectiveAt: gate.effectiveAt,
    gateLatchedAt: gate.latchedAt,
    gateSweptAt: gate.sweptAt,
  };
  const same = (Object.keys(found) as (keyof typeof found)[]).every(
    (key) => (found[key]?.valueOf() ?? null) === (row[key]?.valueOf() ?? null),
  );
  if (!same) await context.control.inTransaction((tx) => transitionDataCenter(tx, row, found));
}

async function reopen(context: EngineContext, row: DataCenterVersion, reason: string): Promise<string | undefined> {
  const moved = await context.control.inTransaction(async (tx) => {
    const done = await transitionDataCenter(tx, row, {
      stage: 'pending',
      fenceConfirmedClosed: false,
      requestedAt: await readControlClock(tx),
      requestReason: reason,
      // the approval of the old plan is used: a new plan is made at its turn
      planId: null,
    });
    if (done) await appendAudit(tx, { action: 'reopen', dataCenter: row.id, reason });
    return done;
  });
  if (moved) context.log.warn('cell_changed', { data_center: row.id, reason });
  return moved ? row.id : undefined;
}

/** A person decides what goes on. Its fence may be open in the cell: the next tick closes it. */
async function fail(
  context: EngineContext,
  row: DataCenterVersion & Pick<RolloutPosition, 'stage'>,
  failure: 'undo_lost' | 'undo_forgotten',
  reason: string,
): Promise<string | undefined> {
  // also what was asked for before the undo
  const change = { stage: 'failed', failure, fenceConfirmedClosed: false, requestedAt: null } as const;
  const moved = await context.control.inTransaction(async (tx) => {
    const done = await transitionDataCenter(tx, row, change);
    const details = { from: row.stage, to: change.stage, failure };
    if (done) await appendAudit(tx, { action: 'transition', dataCenter: row.id, reason, details });
    return done;
  });
  if (moved) context.log.warn(failure, { data_center: row.id, reason });
  return moved ? row.id : undefined;
}

/** The fence counts as open until it is confirmed closed again. */
async function unconfirm(context: EngineContext, row: DataCenterVersion): Promise<string | undefined> {
  const reason = 'its fence is open although no run is under way';
  const moved = await context.control.inTransaction(async (tx) => {
    const done = await transitionDataCenter(tx, row, { fenceConfirmedClosed: false });
    if (done) await appendAudit(tx, { action: 'distrust', dataCenter: row.id, reason });
    return done;
  });
  if (moved) context.log.warn('fence_left_open', { data_center: row.id });
  return moved ? row.id : undefined;
}
