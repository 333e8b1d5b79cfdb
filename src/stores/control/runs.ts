// Runs as control remembers them: who asked, what came of it. Counts only.
import type { ControlTransaction } from './control-database.js';

export interface ControlRun {
  readonly runId: bigint;
  readonly dataCenter: string;
  readonly kind: 'migrate' | 'reconcile' | 'undo' | 'sweep';
  readonly state: 'open' | 'done' | 'failed' | 'aborted';
  readonly cardHash: string;
  /** Null: it followed none. */
  readonly planId: string | null;
  readonly requestedBy: string | null;
  readonly reason: string | null;
  readonly openedAt: Date;
  readonly endedAt: Date | null;
  readonly counts: Readonly<Record<string, number | string>> | null;
}

const SELECT = `select run_id as "runId", data_center as "dataCenter", kind, state, card_hash as "cardHash", plan_id as "planId", requested_by as "requestedBy",
  reason, opened_at as "openedAt", ended_at as "endedAt", counts from credit_rollout_control.runs`;

export async function insertControlRun(
  tx: ControlTransaction,
  run: Pick<ControlRun, 'runId' | 'dataCenter' | 'kind' | 'cardHash' | 'planId' | 'requestedBy' | 'reason'>,
): Promise<void> {
  const id = String(run.runId);
  await tx.raw(
    `insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, plan_id, requested_by, reason, epoch)
     values (?::bigint, ?, ?, ?, ?, ?, ?, ?::bigint)`,
    [id, run.dataCenter, run.kind, run.cardHash, run.planId, run.requestedBy, run.reason, id],
  );
}

/** Ends an open run with its counts; false when it was not open. */
export async function endControlRun(
  tx: ControlTransaction,
  runId: bigint,
  state: 'done' | 'failed' | 'aborted',
  counts: Readonly<Record<string, number | string>> | null,
): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout_control.runs set state = ?, ended_at = clock_timestamp(), counts = ?::jsonb where run_id = ?::bigint and state = 'open'`,
    [state, counts === null ? null : JSON.stringify(counts), String(runId)],
  );
  return rowCount === 1;
}

export async function reopenControlRun(tx: ControlTransaction, runId: bigint): Promise<void> {
  await tx.raw(
    `update credit_rollout_control.runs set state = 'open', ended_at = null where run_id = ?::bigint and state = 'failed'`,
    [String(runId)],
  );
}

/** The newest rollout of every data center; nights are many. */
export async function listNewestRollouts(tx: ControlTransaction): Promise<readonly ControlRun[]> {
  const { rows } = await tx.raw(
    `${SELECT} where run_id in (select max(run_id) from credit_rollout_control.runs where kind = 'migrate' group by data_center)`,
  );
  return rows.map((row: Omit<ControlRun, 'runId'> & { readonly runId: string }) => ({
    ...row,
    runId: BigInt(row.runId),
  }));
}
