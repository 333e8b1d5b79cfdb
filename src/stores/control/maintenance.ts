// The maintenance slot of each data center: which run holds it, and what waits for it. The database rejects a second
// holder. Also purges what was.
import type { MaintenanceRun } from '../../domain/rollout/snapshot.js';
import { selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface MaintenanceRow {
  /** The run that holds the slot; null: none. */
  readonly open: MaintenanceRun | null;
  /** The newest epoch of that run at which the fence is confirmed closed; null: none. */
  readonly closedEpoch: bigint | null;
  /** The newest night that is due. */
  readonly night: { readonly localDate: string; readonly dueAt: Date } | null;
  readonly request: {
    readonly requestId: bigint;
    readonly requestedBy: string;
    readonly reason: string | null;
  } | null;
  /** When its last run of this kind failed; null when the last one ended well. */
  readonly failedAt: Date | null;
}

const NOTHING: MaintenanceRow = { open: null, closedEpoch: null, night: null, request: null, failedAt: null };

const ALL = `
select d.id, o.run_id, o.kind, o.epoch, o.shut_epoch, n.local_date::text as local_date, n.due_at,
  q.request_id, q.requested_by, q.reason, case when l.state = 'failed' then l.ended_at end as failed_at
from credit_rollout_control.data_centers d
left join credit_rollout_control.runs o
  on o.data_center = d.id and o.state = 'open' and o.kind in ('reconcile', 'sweep')
left join lateral (
  select w.local_date, w.due_at
  from credit_rollout_control.due_work w
  where w.data_center = d.id and w.kind = 'reconcile' and w.state = 'due'
  order by w.due_at desc
  limit 1
) n on true
left join credit_rollout_control.reconcile_requests q
  on q.data_center = d.id and q.ended_at is null and q.run_id is null and q.state <> 'proposed'
left join lateral (
  select r.state, r.ended_at
  from credit_rollout_control.runs r
  where r.data_center = d.id and r.kind in ('reconcile', 'sweep') and r.state <> 'open'
  order by r.run_id desc
  limit 1
) l on true`;

interface Stored {
  readonly id: string;
  readonly runId: string | null;
  readonly kind: 'reconcile' | 'sweep';
  readonly epoch: string | null;
  readonly shutEpoch: string | null;
  readonly localDate: string | null;
  readonly dueAt: Date;
  readonly requestId: string | null;
  readonly requestedBy: string;
  readonly reason: string | null;
  readonly failedAt: Date | null;
}

/** Of every data center; read them by data center. */
export async function listMaintenance(tx: ControlTransaction): Promise<(dataCenter: string) => MaintenanceRow> {
  const rows = await selectRows<Stored>(tx, ALL);
  const found = new Map(rows.map((row) => [row.id, toRow(row)]));
  return (dataCenter) => found.get(dataCenter) ?? NOTHING;
}

const toRow = (row: Stored): MaintenanceRow => ({
  open: toOpenRun(row),
  closedEpoch: row.shutEpoch === null ? null : BigInt(row.shutEpoch),
  night: row.localDate === null ? null : { localDate: row.localDate, dueAt: row.dueAt },
  request: toRequest(row),
  failedAt: row.failedAt,
});

const toOpenRun = ({ runId, kind, epoch }: Stored): MaintenanceRow['open'] =>
  runId === null ? null : { runId: BigInt(runId), kind, epoch: BigInt(epoch ?? runId) };

const toRequest = ({ requestId, requestedBy, reason }: Stored): MaintenanceRow['request'] =>
  requestId === null ? null : { requestId: BigInt(requestId), requestedBy, reason };

/**
 * Purges what control has of nights and sweeps that ended so many days ago, at most `limit` runs of them; returns how
 * many rows. The database rejects fewer days than the policy has.
 */
export async function purgeNightRows(
  tx: ControlTransaction,
  { retentionDays, limit }: { readonly retentionDays: number; readonly limit: number },
): Promise<number> {
  const { purged } = await selectRow<{ readonly purged: number }>(
    tx,
    'select credit_rollout_control.purge_nights(:retention_days::int, :limit::int) as purged',
    { retention_days: retentionDays, limit },
  );
  return purged;
}
