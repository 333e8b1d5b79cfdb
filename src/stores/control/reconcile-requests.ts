// Reconciliations that people requested: at most one open per data center, which the database enforces. One that
// accepts falls is open once it is approved.
import { execute, findRow, selectRow } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface ReconcileRequestRow {
  readonly requestId: bigint;
  readonly dataCenter: string;
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly reason: string | null;
  /** The run that executes it; null: it waits. */
  readonly runId: bigint | null;
}

type Stored = Omit<ReconcileRequestRow, 'requestId' | 'runId'> & {
  readonly requestId: string;
  readonly runId: string | null;
};

/** The database records who requests it: call `identifyPerson` first. Raises 23505 where one is open. */
export async function insertReconcileRequest(
  tx: ControlTransaction,
  { dataCenter, reason }: Pick<ReconcileRequestRow, 'dataCenter' | 'reason'>,
): Promise<bigint> {
  const { requestId } = await selectRow<{ readonly requestId: string }>(
    tx,
    `insert into credit_rollout_control.reconcile_requests (data_center, reason)
     values (:data_center, :reason)
     returning request_id`,
    { data_center: dataCenter, reason },
  );
  return BigInt(requestId);
}

/** The open one of a data center. */
export async function findReconcileRequest(
  tx: ControlTransaction,
  dataCenter: string,
): Promise<ReconcileRequestRow | undefined> {
  const row = await findRow<Stored>(
    tx,
    `select request_id, data_center, requested_by, requested_at, reason, run_id
     from credit_rollout_control.reconcile_requests
     where data_center = :data_center and ended_at is null and state <> 'proposed'`,
    { data_center: dataCenter },
  );
  if (row === undefined) return undefined;
  return { ...row, requestId: BigInt(row.requestId), runId: row.runId === null ? null : BigInt(row.runId) };
}

/** Gives the request to the run that executes it; false when it was claimed already. */
export async function claimReconcileRequest(
  tx: ControlTransaction,
  requestId: bigint,
  runId: bigint,
): Promise<boolean> {
  const claimed = await execute(
    tx,
    `update credit_rollout_control.reconcile_requests
     set run_id = :run_id::bigint
     where request_id = :request_id::bigint and run_id is null`,
    { request_id: requestId, run_id: runId },
  );
  return claimed === 1;
}

/** Ends the request of a run; does nothing for a run that nobody requested. */
export async function endReconcileRequest(tx: ControlTransaction, runId: bigint): Promise<void> {
  await execute(
    tx,
    `update credit_rollout_control.reconcile_requests
     set ended_at = clock_timestamp()
     where run_id = :run_id::bigint and ended_at is null`,
    { run_id: runId },
  );
}
