// One row per data center: where it is in its rollout, what its operator wants, and what was requested. A use-case
// takes only the groups of columns that it reads.
import type { CheckSpec } from '../../domain/checks/check.js';
import type { ApprovalMode, GuardRails } from '../../domain/config/rollout-config.js';
import type { Intent, Stage } from '../../domain/rollout/stage.js';
import type { WindowSpec } from '../../domain/windows/windows.js';
import { execute, findRow, type SqlValue, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

/** What an operator chooses for a run; `apply --execute` takes it from the configuration. */
export interface RequestedSettings {
  readonly cardHash: string;
  readonly batchSize: number;
  /** `auto`: planning chooses the size, at most `batchSize`. Left out, also by earlier versions: `fixed`. */
  readonly batchSizing?: 'auto' | 'fixed';
  readonly lanes: number;
}

/** Settings of a run: control's database adds those of the policy to what was requested. */
export interface RunSettings extends RequestedSettings {
  readonly bakeMs: number;
  readonly bakeQuery?: string | undefined;
  /** Left out: it was requested with an earlier version. */
  readonly checks?: readonly CheckSpec[] | undefined;
  readonly windows: readonly WindowSpec[];
  readonly canaryWaitMs: number;
  readonly approval: ApprovalMode;
  readonly guardRails: GuardRails;
}

/** Who paused a data center, and until when. */
export interface RecordedPause {
  /** Null: it is not paused. */
  readonly pausedAt: Date | null;
  readonly pausedBy: string | null;
  readonly pauseReason: string | null;
  /** When a scheduler resumes it; null: a person does. */
  readonly pausedUntil: Date | null;
}

/** What an operator set for the batches of a data center, whatever its rollout was requested with. */
export interface SetLanes {
  /** Null: nothing. */
  readonly lanes: number | null;
  readonly lanesBy: string | null;
  readonly lanesAt: Date | null;
}

/** A row as it was read: what a compare-and-set needs. */
export interface DataCenterVersion {
  readonly id: string;
  readonly version: number;
}

/** What was requested by `apply --execute`. */
export interface RequestedRollout {
  readonly requestedAt: Date | null;
  readonly requestedBy: string | null;
  readonly requestReason: string | null;
  /** The plan that the request or the run follows, e.g. `in-7`; null: none yet. */
  readonly planId: string | null;
  readonly settings: RunSettings | null;
}

/** The newest rollout's run, and the epoch of its fence. */
export interface RolloutRun {
  readonly runId: bigint | null;
  readonly epoch: bigint | null;
}

/** How far the rollout is. */
export interface RolloutPosition {
  readonly stage: Stage;
  readonly stageSince: Date;
  readonly intent: Intent;
  /** The fence of its cell is confirmed closed. */
  readonly fenceConfirmedClosed: boolean;
  readonly verifiedAt: Date | null;
  readonly bakeUntil: Date | null;
  readonly failure: string | null;
  /** What failed is an undo. */
  readonly undoFailed: boolean;
  /** When it was done for the first time. */
  readonly doneAt: Date | null;
  /** The change feed of its cell may write, as far as control knows. */
  readonly singleWrites: boolean;
}

/** Instants of the configuration that were pinned; the local texts are what a clock in the zone shows then. */
export interface PinnedTimes {
  readonly notBeforeAt: Date | null;
  readonly notBeforeLocal: string | null;
  readonly cutoverAt: Date | null;
  readonly cutoverLocal: string | null;
  /** When the cut-over's instant was pinned or last moved. */
  readonly cutoverSetAt: Date | null;
}

/** The gate of its cell as it was last read. */
export interface LastSeenGate {
  readonly gateConfiguredAt: Date | null;
  readonly gateEffectiveAt: Date | null;
  readonly gateLatchedAt: Date | null;
  readonly gateSweptAt: Date | null;
}

/** Which copy of its cell it is. */
export interface AdoptedCell {
  /** Digest of the newest adoption that two people agreed on; null: its cell was never moved. */
  readonly adoption: string | null;
}

export interface DataCenterRow
  extends DataCenterVersion,
    RecordedPause,
    SetLanes,
    RequestedRollout,
    RolloutRun,
    RolloutPosition,
    PinnedTimes,
    LastSeenGate,
    AdoptedCell {
  /** Grows with what a command changes, and when a request, a pause or a run ends. */
  readonly revision: number;
  /** Its place in the order of the rollout, from 0. */
  readonly position: number;
  /** IANA name of its time zone. */
  readonly zone: string;
}

const SELECT = `select id, position, zone, stage, stage_since, intent, quiet as fence_confirmed_closed, requested_at,
  requested_by, request_reason, run_id, epoch, verified_at, bake_until, failure, plan_id, plan as settings, done_at,
  not_before_at, not_before_local, cutover_at, cutover_local, cutover_set_at, single_writes, gate_configured_at,
  gate_effective_at, gate_latched_at, gate_swept_at, version, revision::int, paused_at, paused_by, pause_reason,
  paused_until, lanes, lanes_by, lanes_at, stage = 'failed' and (failure = 'undo_forgotten' or exists (
    select from credit_rollout_control.runs r where r.run_id = data_centers.run_id and r.kind = 'undo')) as undo_failed,
  (select p.digest from credit_rollout_control.cell_proposals p where p.data_center = data_centers.id
     and p.kind = 'adoption' and p.state = 'approved' order by p.number desc limit 1) as adoption
from credit_rollout_control.data_centers`;

type Stored = Omit<DataCenterRow, 'runId' | 'epoch'> & { readonly runId: string | null; readonly epoch: string | null };

const toRow = (row: Stored): DataCenterRow => ({
  ...row,
  runId: row.runId === null ? null : BigInt(row.runId),
  epoch: row.epoch === null ? null : BigInt(row.epoch),
});

/** Those of the fleet, in the order of the rollout; without those that were taken out. */
export async function listDataCenters(tx: ControlTransaction): Promise<readonly DataCenterRow[]> {
  return (await selectRows<Stored>(tx, `${SELECT} where removed_at is null order by position`)).map(toRow);
}

/** Those that were taken out. */
export async function listRemoved(tx: ControlTransaction): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly id: string }>(
    tx,
    'select id from credit_rollout_control.data_centers where removed_at is not null order by id',
  );
  return rows.map(({ id }) => id);
}

/** For a decision that will be written in this transaction. Undefined also for one that was taken out. */
export async function lockDataCenter(tx: ControlTransaction, id: string): Promise<DataCenterRow | undefined> {
  const row = await findRow<Stored>(tx, `${SELECT} where id = :id and removed_at is null for update`, { id });
  return row && toRow(row);
}

/** Whether control knows it, and whether it belongs to the fleet. */
export async function findMembership(tx: ControlTransaction, id: string): Promise<'in_fleet' | 'removed' | 'unknown'> {
  const row = await findRow<{ readonly removed: boolean }>(
    tx,
    'select removed_at is not null as removed from credit_rollout_control.data_centers where id = :id',
    { id },
  );
  if (row === undefined) return 'unknown';
  return row.removed ? 'removed' : 'in_fleet';
}

/**
 * As the owner: takes a data center out of the fleet; its history stays. `as_new`: its cell has nothing of ours any
 * more, and if it comes back it begins anew.
 */
export async function removeDataCenter(
  tx: ControlTransaction,
  id: string,
  comesBack: 'as_it_is' | 'as_new',
): Promise<void> {
  await execute(tx, 'select credit_rollout_control.remove_data_center(:id, :forget::boolean)', {
    id,
    forget: comesBack === 'as_new',
  });
}

/** As the owner: takes it back into the fleet as it was. */
export async function restoreDataCenter(tx: ControlTransaction, id: string): Promise<void> {
  await execute(
    tx,
    `update credit_rollout_control.data_centers set removed_at = null, removed_by = null
     where id = :id and removed_at is not null`,
    { id },
  );
}

/**
 * Adds a data center, also one that was taken out, whose fence is then confirmed again; or changes its place in the
 * order and its zone; nothing else of an existing row.
 */
export async function saveDataCenter(
  tx: ControlTransaction,
  { id, position, zone }: Pick<DataCenterRow, 'id' | 'position' | 'zone'>,
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.data_centers (id, position, zone)
     values (:id, :position, :zone)
     on conflict (id) do update set position = excluded.position, zone = excluded.zone, removed_at = null,
       removed_by = null, quiet = data_centers.quiet and data_centers.removed_at is null
     where (data_centers.position, data_centers.zone, data_centers.removed_at)
       is distinct from (excluded.position, excluded.zone, null)`,
    { id, position, zone },
  );
}

/** What may change of a row, with its column. */
const COLUMNS = {
  stage: 'stage',
  intent: 'intent',
  pauseReason: 'pause_reason',
  pausedUntil: 'paused_until',
  lanes: 'lanes',
  fenceConfirmedClosed: 'quiet',
  requestedAt: 'requested_at',
  requestReason: 'request_reason',
  runId: 'run_id',
  epoch: 'epoch',
  notBeforeAt: 'not_before_at',
  notBeforeLocal: 'not_before_local',
  cutoverAt: 'cutover_at',
  cutoverLocal: 'cutover_local',
  verifiedAt: 'verified_at',
  bakeUntil: 'bake_until',
  failure: 'failure',
  planId: 'plan_id',
  settings: 'plan',
  doneAt: 'done_at',
  singleWrites: 'single_writes',
  gateConfiguredAt: 'gate_configured_at',
  gateEffectiveAt: 'gate_effective_at',
  gateLatchedAt: 'gate_latched_at',
  gateSweptAt: 'gate_swept_at',
} as const satisfies Partial<Record<keyof DataCenterRow, string>>;

type Changeable = keyof typeof COLUMNS;

/** The database itself writes who requests, and when a cut-over was pinned or moved. */
export type DataCenterChange = { readonly [K in Exclude<Changeable, 'settings'>]?: DataCenterRow[K] } & {
  readonly settings?: RequestedSettings;
};

/** Compare-and-set on the version that was read; false when the row has changed since. */
export async function transitionDataCenter(
  tx: ControlTransaction,
  { id, version }: DataCenterVersion,
  change: DataCenterChange,
): Promise<boolean> {
  const { settings, ...fields } = change;
  const values: Record<string, SqlValue> = {
    ...listColumns(fields),
    ...(settings !== undefined && { plan: JSON.stringify(settings) }),
  };
  const assignments = Object.keys(values).map((column) => `${column} = :${column}`);
  const changed = await execute(
    tx,
    `update credit_rollout_control.data_centers
     set ${assignments.join(', ')}
     where id = :id and version = :version`,
    { ...values, id, version },
  );
  return changed === 1;
}

/** Values by column. */
function listColumns(fields: Omit<DataCenterChange, 'settings'>): Readonly<Record<string, SqlValue>> {
  const entries = Object.entries(fields) as readonly (readonly [Changeable, SqlValue | undefined])[];
  return Object.fromEntries(
    entries.flatMap(([field, value]) => (value === undefined ? [] : [[COLUMNS[field], value] as const])),
  );
}

/** Control no longer assumes that the change feed may write. */
export async function clearSingleWrites(tx: ControlTransaction, id: string): Promise<void> {
  await execute(
    tx,
    `update credit_rollout_control.data_centers
     set single_writes = false where id = :id and single_writes`,
    { id },
  );
}
