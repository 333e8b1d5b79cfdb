// Undos that are to be run: number and digest of a plan that its cell has accepted. The database fills in who and when.
import { execute, findRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface UndoRequest {
  readonly requestId: bigint;
  readonly dataCenter: string;
  /** The number of the plan in its cell. */
  readonly undoId: bigint;
  readonly digest: string;
  readonly reason: string;
  readonly requestedBy: string;
  /** Null: none yet. */
  readonly runId: bigint | null;
}

interface Stored extends Omit<UndoRequest, 'requestId' | 'undoId' | 'runId'> {
  readonly requestId: string;
  readonly undoId: string;
  readonly runId: string | null;
}

const OPEN = `select request_id, data_center, undo_id, digest, reason, requested_by, run_id
from credit_rollout_control.undo_requests where ended_at is null`;

const toRequest = (row: Stored): UndoRequest => ({
  ...row,
  requestId: BigInt(row.requestId),
  undoId: BigInt(row.undoId),
  runId: row.runId === null ? null : BigInt(row.runId),
});

/** Of every data center; at most one each. */
export async function listOpenUndos(tx: ControlTransaction): Promise<readonly UndoRequest[]> {
  return (await selectRows<Stored>(tx, OPEN)).map(toRequest);
}

export async function findOpenUndo(tx: ControlTransaction, dataCenter: string): Promise<UndoRequest | undefined> {
  const row = await findRow<Stored>(tx, `${OPEN} and data_center = :data_center`, { data_center: dataCenter });
  return row && toRequest(row);
}

/** Call `identifyPerson` first. A second open one of the data center raises 23505. */
export async function insertUndoRequest(
  tx: ControlTransaction,
  { dataCenter, undoId, digest, reason }: Pick<UndoRequest, 'dataCenter' | 'undoId' | 'digest' | 'reason'>,
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.undo_requests (data_center, undo_id, digest, reason)
     values (:data_center, :undo_id::bigint, :digest, :reason)`,
    { data_center: dataCenter, undo_id: undoId, digest, reason },
  );
}

/** Gives it to the run that carries it out; false when another scheduler was faster, or it has ended. */
export async function claimUndoRequest(tx: ControlTransaction, requestId: bigint, runId: bigint): Promise<boolean> {
  const claimed = await execute(
    tx,
    `update credit_rollout_control.undo_requests set run_id = :run_id::bigint
     where request_id = :request_id::bigint and run_id is null and ended_at is null`,
    { request_id: requestId, run_id: runId },
  );
  return claimed === 1;
}

/** Ends one that no run carries out; false when one does, or it has ended. */
export async function endUndoRequest(tx: ControlTransaction, requestId: bigint): Promise<boolean> {
  const ended = await execute(
    tx,
    `update credit_rollout_control.undo_requests set ended_at = clock_timestamp()
     where request_id = :request_id::bigint and run_id is null and ended_at is null`,
    { request_id: requestId },
  );
  return ended === 1;
}
