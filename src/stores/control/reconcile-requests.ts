// Reconciliations that people asked for: at most one open per data center, which the database sees to.
import type { ControlTransaction } from './control-database.js';

export interface ReconcileRequestRow {
  readonly requestId: bigint;
  readonly dataCenter: string;
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly reason: string | null;
  readonly allowFalls: boolean;
  /** The run that carries it out; null: it waits. */
  readonly runId: bigint | null;
}

/** Who asks is the database's to say: `identifyPerson` comes first. Raises a duplicate where one is open. */
export async function insertReconcileRequest(
  tx: ControlTransaction,
  request: Pick<ReconcileRequestRow, 'dataCenter' | 'reason' | 'allowFalls'>,
): Promise<bigint> {
  const { rows } = await tx.raw(
    `insert into credit_rollout_control.reconcile_requests (data_center, reason, allow_falls) values (?, ?, ?)
     returning request_id`,
    [request.dataCenter, request.reason, request.allowFalls],
  );
  return BigInt(rows[0].request_id);
}

/** The open one of a data center. */
export async function findReconcileRequest(
  tx: ControlTransaction,
  dataCenter: string,
): Promise<ReconcileRequestRow | undefined> {
  const { rows } = await tx.raw(
    `select request_id as "requestId", data_center as "dataCenter", requested_by as "requestedBy", requested_at as "requestedAt", reason,
       allow_falls as "allowFalls", run_id as "runId"
     from credit_rollout_control.reconcile_requests where data_center = ? and ended_at is null`,
    [dataCenter],
  );
  const row = rows[0];
  return (
    row && {
      ...row,
      requestId: BigInt(row.requestId),
      runId: row.runId === null ? null : BigInt(row.runId),
    }
  );
}
