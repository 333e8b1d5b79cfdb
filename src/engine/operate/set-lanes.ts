// How many batches run at once in a data center, whatever its rollout was requested with: an operator sets it, a
// scheduler brings it into the cell, and each batch reads it there as it begins. It judges nothing, so one person may.
import type { Stage } from '../../domain/rollout/stage.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters, transitionDataCenter } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { getDataCenter, lockKnownDataCenter, rejectChanged, type SeenRevision } from '../data-center.js';

export interface LanesRequest extends SeenRevision {
  readonly dataCenter: string;
  /** Null: as the rollout was requested. */
  readonly lanes: number | null;
  readonly reason: string;
}

export interface LanesReport {
  readonly dataCenter: string;
  readonly stage: Stage;
  readonly revision: number;
  /** In force for the next batch; null: no rollout was requested yet, and nothing is set. */
  readonly lanes: number | null;
  /** What `settings set` set; null: nothing. */
  readonly set: number | null;
  readonly setBy: string | null;
  readonly setAt: Date | null;
  /** What the newest rollout was requested with. */
  readonly requested: number | null;
}

const toReport = ({ id, stage, revision, lanes, lanesBy, lanesAt, settings }: DataCenterRow): LanesReport => {
  const requested = settings?.lanes ?? null;
  const set = lanes === null ? { setBy: null, setAt: null } : { setBy: lanesBy, setAt: lanesAt };
  return { dataCenter: id, stage, revision, lanes: lanes ?? requested, set: lanes, ...set, requested };
};

/** Throws unknown_data_center. */
export const readLanes = ({ control }: Pick<EngineContext, 'control'>, dataCenter: string): Promise<LanesReport> =>
  control.inTransaction(async (tx) => toReport(await getDataCenter(tx, dataCenter)));

export const listLanes = ({ control }: Pick<EngineContext, 'control'>): Promise<readonly LanesReport[]> =>
  control.inTransaction(async (tx) => (await listDataCenters(tx)).map(toReport));

/** Repeating it is harmless. Throws unknown_data_center, revision_changed. */
export async function setLanes(
  context: Pick<EngineContext, 'control' | 'wakeUps'>,
  request: LanesRequest,
): Promise<LanesReport> {
  const report = await context.control.inTransaction((tx) => saveLanes(tx, request));
  await context.wakeUps.wakeSchedulers();
  return report;
}

async function saveLanes(tx: ControlTransaction, request: LanesRequest): Promise<LanesReport> {
  const { dataCenter, lanes, reason } = request;
  const row = await lockKnownDataCenter(tx, dataCenter);
  rejectChanged(row, request);
  await transitionDataCenter(tx, row, { lanes });
  const after = toReport(await getDataCenter(tx, dataCenter));
  const details = { setting: 'lanes', from: toReport(row).lanes, to: after.lanes, set: lanes };
  await appendAudit(tx, { action: lanes === null ? 'unset_lanes' : 'set_lanes', dataCenter, reason, details });
  return after;
}
