// The maintenance slot: which run holds it, and what waits for it. The database refuses a second holder.
import type { MaintenanceRun } from '../../domain/rollout/snapshot.js';
import type { ControlTransaction } from './control-database.js';

export interface MaintenanceRow {
  /** The run that holds the slot here; null: none. */
  readonly open: MaintenanceRun | null;
  /** The newest epoch of that run at which the fence is known to be shut; null: none. */
  readonly shutEpoch: bigint | null;
  /** The newest night that is due. */
  readonly night: { readonly localDate: string; readonly dueAt: Date } | null;
  readonly request: {
    readonly requestId: bigint;
    readonly requestedBy: string;
    readonly reason: string | null;
    readonly allowFalls: boolean;
  } | null;
  /** When its last run of this kind failed, unless one ended well since. */
  readonly failedAt: Date | null;
}

const NOTHING: MaintenanceRow = { open: null, shutEpoch: null, night: null, request: null, failedAt: null };

const ALL = `
select d.id, o.run_id, o.kind, o.epoch, o.shut_epoch, n.local_date::text as local_date, n.due_at, q.request_id, q.requested_by, q.reason, q.allow_falls,
  case when l.state = 'failed' then l.ended_at end as failed_at
from credit_rollout_control.data_centers d
left join credit_rollout_control.runs o on o.data_center = d.id and o.state = 'open' and o.kind in ('reconcile', 'sweep')
left join lateral (
  select w.local_date, w.due_at from credit_rollout_control.due_work w
  where w.data_center = d.id and w.kind = 'reconcile' and w.state = 'due' order by w.due_at desc limit 1) n on true
left join credit_rollout_control.reconcile_requests q on q.data_center = d.id and q.ended_at is null and q.run_id is null
left join lateral (
  select r.state, r.ended_at from credit_rollout_control.runs r
  where r.data_center = d.id and r.kind in ('reconcile', 'sweep') and r.state <> 'open' order by r.run_id desc limit 1) l on true`;

/** By data center. */
export async function listMaintenance(tx: ControlTransaction): Promise<(dataCenter: string) => MaintenanceRow> {
  const rows: readonly StoredRow[] = (await tx.raw(ALL)).rows;
  const found = new Map(rows.map((row) => [row.id, toRow(row)]));
  return (dataCenter) => found.get(dataCenter) ?? NOTHING;
}

interface StoredRow {
  readonly id: string;
  readonly run_id: string | null;
  readonly kind: 'reconcile' | 'sweep';
  readonly epoch: string | null;
  readonly shut_epoch: string | null;
  readonly local_date: string | null;
  readonly due_at: Date;
  readonly request_id: string | null;
  readonly requested_by: string;
  readonly reason: string | null;
  readonly allow_falls: boolean;
  readonly failed_at: Date | null;
}

const toRow = (row: StoredRow): MaintenanceRow => ({
  open:
    row.run_id === null ? null : { runId: BigInt(row.run_id), kind: row.kind, epoch: BigInt(row.epoch ?? row.run_id) },
  shutEpoch: row.shut_epoch === null ? null : BigInt(row.shut_epoch),
  night: row.local_date === null ? null : { localDate: row.local_date, dueAt: row.due_at },
  request:
    row.request_id === null
      ? null
      : {
          requestId: BigInt(row.request_id),
          requestedBy: row.requested_by,
          reason: row.reason,
          allowFalls: row.allow_falls,
        },
  failedAt: row.failed_at,
});

/** Compare-and-set of a run's epoch; false when another scheduler was faster. */
export async function raiseRunEpoch(
  tx: ControlTransaction,
  { runId, epoch }: { readonly runId: bigint; readonly epoch: bigint },
  to: bigint,
): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout_control.runs set epoch = ?::bigint where run_id = ?::bigint and state = 'open' and epoch = ?::bigint`,
    [String(to), String(runId), String(epoch)],
  );
  return rowCount === 1;
}

/** Remembers that the fence is shut at the epoch of an open run; false when that is known, or the run went on since. */
export async function saveRunClosed(
  tx: ControlTransaction,
  { runId, epoch }: { readonly runId: bigint; readonly epoch: bigint },
): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout_control.runs set shut_epoch = epoch
     where run_id = ?::bigint and state = 'open' and epoch = ?::bigint and shut_epoch is distinct from epoch`,
    [String(runId), String(epoch)],
  );
  return rowCount === 1;
}

/** The request is carried out by this run; false when it was taken already. */
export async function takeRequest(tx: ControlTransaction, requestId: bigint, runId: bigint): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout_control.reconcile_requests set run_id = ?::bigint where request_id = ?::bigint and run_id is null`,
    [String(runId), String(requestId)],
  );
  return rowCount === 1;
}

/** Ends the request of a run, when the run was asked for. */
export async function endRequest(tx: ControlTransaction, runId: bigint): Promise<void> {
  await tx.raw(
    `update credit_rollout_control.reconcile_requests set ended_at = clock_timestamp() where run_id = ?::bigint and ended_at is null`,
    [String(runId)],
  );
}

/** Whether the request of a run accepts the falls beyond its limits. */
export async function acceptsFalls(tx: ControlTransaction, runId: bigint): Promise<boolean> {
  const { rows } = await tx.raw(
    `select coalesce(bool_or(allow_falls), false) as accepts from credit_rollout_control.reconcile_requests where run_id = ?::bigint`,
    [String(runId)],
  );
  return rows[0].accepts;
}
