// Runs as control records them: who requested each, which epoch its fence has, and how it ended. Counts only.
import { execute, selectRows } from '../query.js';
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
  /** When its rollout was requested; null: a run of an earlier version, or no rollout. */
  readonly requestedAt: Date | null;
  readonly openedAt: Date;
  readonly endedAt: Date | null;
  readonly counts: Readonly<Record<string, number | string>> | null;
}

/** Adds an open run; its id is its first epoch. */
export async function insertControlRun(
  tx: ControlTransaction,
  run: Pick<ControlRun, 'runId' | 'dataCenter' | 'kind' | 'cardHash' | 'planId' | 'requestedBy' | 'reason'>,
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.runs
       (run_id, data_center, kind, card_hash, plan_id, requested_by, reason, epoch)
     values (:run_id::bigint, :data_center, :kind, :card_hash, :plan_id, :requested_by, :reason, :run_id::bigint)`,
    {
      run_id: run.runId,
      data_center: run.dataCenter,
      kind: run.kind,
      card_hash: run.cardHash,
      plan_id: run.planId,
      requested_by: run.requestedBy,
      reason: run.reason,
    },
  );
}

/** Ends an open run with its counts; false when it was not open. */
export async function endControlRun(
  tx: ControlTransaction,
  runId: bigint,
  state: 'done' | 'failed' | 'aborted',
  counts: ControlRun['counts'],
): Promise<boolean> {
  const ended = await execute(
    tx,
    `update credit_rollout_control.runs
     set state = :state, ended_at = clock_timestamp(), counts = :counts::jsonb
     where run_id = :run_id::bigint and state = 'open'`,
    { run_id: runId, state, counts: counts === null ? null : JSON.stringify(counts) },
  );
  return ended === 1;
}

/** Whether the run takes back another one. */
export async function isUndoRun(tx: ControlTransaction, runId: bigint): Promise<boolean> {
  const rows = await selectRows(
    tx,
    `select run_id from credit_rollout_control.runs where run_id = :run_id::bigint and kind = 'undo'`,
    { run_id: runId },
  );
  return rows.length > 0;
}

/** Opens a failed run again; does nothing for any other. */
export async function reopenControlRun(tx: ControlTransaction, runId: bigint): Promise<void> {
  await execute(
    tx,
    `update credit_rollout_control.runs
     set state = 'open', ended_at = null
     where run_id = :run_id::bigint and state = 'failed'`,
    { run_id: runId },
  );
}

/** The runs of a data center that control knows as open: a rollout, or a nightly run or sweep. */
export async function listOpenControlRuns(tx: ControlTransaction, dataCenter: string): Promise<readonly bigint[]> {
  const rows = await selectRows<{ readonly runId: string }>(
    tx,
    `select run_id from credit_rollout_control.runs where data_center = :data_center and state = 'open'`,
    { data_center: dataCenter },
  );
  return rows.map(({ runId }) => BigInt(runId));
}

/** The newest rollout of every data center, without its nightly runs and sweeps. */
export async function listNewestRollouts(tx: ControlTransaction): Promise<readonly ControlRun[]> {
  const rows = await selectRows<Omit<ControlRun, 'runId'> & { readonly runId: string }>(
    tx,
    `select run_id, data_center, kind, state, card_hash, plan_id, requested_by, reason, requested_at,
       opened_at, ended_at, counts
     from credit_rollout_control.runs
     where run_id in (
       select max(run_id) from credit_rollout_control.runs where kind = 'migrate' group by data_center
     )`,
  );
  return rows.map((row) => ({ ...row, runId: BigInt(row.runId) }));
}

/** The rollouts of a data center, and every run of it that is open. */
export async function listKnownRuns(tx: ControlTransaction, dataCenter: string): Promise<readonly bigint[]> {
  const rows = await selectRows<{ readonly runId: string }>(
    tx,
    `select run_id from credit_rollout_control.runs
     where data_center = :data_center and (kind = 'migrate' or state = 'open') order by run_id`,
    { data_center: dataCenter },
  );
  return rows.map(({ runId }) => BigInt(runId));
}

interface OpenRun {
  readonly runId: bigint;
  readonly epoch: bigint;
}

/** Compare-and-set of the epoch of an open run; false when another scheduler was faster. */
export async function raiseRunEpoch(
  tx: ControlTransaction,
  { runId, epoch }: OpenRun,
  newEpoch: bigint,
): Promise<boolean> {
  const raised = await execute(
    tx,
    `update credit_rollout_control.runs
     set epoch = :new_epoch::bigint
     where run_id = :run_id::bigint and state = 'open' and epoch = :epoch::bigint`,
    { run_id: runId, epoch, new_epoch: newEpoch },
  );
  return raised === 1;
}

/**
 * Records that the fence is closed at the epoch of an open run; false when that is recorded, or the run went on since.
 */
export async function saveRunClosed(tx: ControlTransaction, { runId, epoch }: OpenRun): Promise<boolean> {
  const saved = await execute(
    tx,
    `update credit_rollout_control.runs
     set shut_epoch = epoch
     where run_id = :run_id::bigint and state = 'open' and epoch = :epoch::bigint
       and shut_epoch is distinct from epoch`,
    { run_id: runId, epoch },
  );
  return saved === 1;
}
