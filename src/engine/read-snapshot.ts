// Reads everything that a decision may look at: control's rows, then the cells that matter now.
import { isWindowOpen } from '../domain/calendar/windows.js';
import type { DataCenterSnapshot, Snapshot } from '../domain/rollout/snapshot.js';
import { SLOT_STAGES } from '../domain/rollout/stage.js';
import { readControlClock } from '../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters } from '../stores/control/data-centers.js';
import type { EngineContext } from './context.js';
import { readCell } from './read-cell.js';
import { readPlan } from './read-plan.js';

export interface SeenSnapshot extends Snapshot {
  /** The rows behind the snapshot, for compare-and-set. */
  readonly rows: ReadonlyMap<string, DataCenterRow>;
}

/** Reads control and, for data centers in which something is due, their cells. `all` reads every cell. */
export async function readSnapshot(
  context: Pick<EngineContext, 'control' | 'cells'>,
  scope: 'due' | 'all',
): Promise<SeenSnapshot> {
  const { now, rows } = await context.control.inTransaction(async (tx) => ({
    now: await readControlClock(tx),
    rows: await listDataCenters(tx),
  }));
  const dataCenters = await Promise.all(rows.map((row) => toSnapshot(context, row, now, scope)));
  return { now, dataCenters, rows: new Map(rows.map((row) => [row.id, row])) };
}

const isDue = (row: DataCenterRow): boolean =>
  SLOT_STAGES.includes(row.stage) ||
  !row.quiet ||
  row.requestedAt !== null ||
  (row.stage === 'baking' && row.settings?.bakeQuery !== undefined);

async function toSnapshot(
  { control, cells }: Pick<EngineContext, 'control' | 'cells'>,
  row: DataCenterRow,
  now: Date,
  scope: 'due' | 'all',
): Promise<DataCenterSnapshot> {
  const bakeQuery = row.stage === 'baking' ? row.settings?.bakeQuery : undefined;
  return {
    id: row.id,
    position: row.position,
    stage: row.stage,
    intent: row.intent,
    quiet: row.quiet,
    requested: row.requestedAt !== null,
    runId: row.runId,
    epoch: row.epoch,
    notBeforeAt: row.notBeforeAt,
    notBeforeLocal: row.notBeforeLocal,
    bakeUntil: row.bakeUntil,
    lanes: row.settings?.lanes ?? 1,
    canaryWaitMs: row.settings?.canaryWaitMs ?? 0,
    orgsTouched: row.settings?.guardRails?.orgsTouched ?? null,
    plan: await readPlan({ control, cells }, row, now),
    window: isWindowOpen(row.settings?.windows ?? [], row.zone, now),
    cell:
      scope === 'all' || isDue(row)
        ? await readCell(() => cells.get(row.id), { runId: row.runId, bakeQuery })
        : undefined,
  };
}
