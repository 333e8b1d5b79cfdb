// The runs of a cell: one pass over its orgs each, opened, ended and reopened here. Counts no orgs and names none.
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import type { Seal } from '../../seal.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

export interface CellRun {
  readonly runId: bigint;
  readonly kind: 'migrate' | 'reconcile' | 'undo' | 'sweep';
  readonly state: 'open' | 'done' | 'failed' | 'aborted';
  readonly cardHash: string;
  readonly batchSize: number;
  readonly lanes: number;
  /** What is to be written is known: from the start of a rollout, and once a nightly run or a sweep has searched. */
  readonly detected: boolean;
  /** The plan that a rollout follows; null: it is a nightly run or a sweep. */
  readonly planId: bigint | null;
  /** Ranges may be taken; always true of a nightly run or a sweep. */
  readonly canaryPassed: boolean;
}

/** Columns of `credit_rollout.runs r` that make a `RunRow`. */
export const RUN_COLUMNS = `r.run_id, r.kind, r.state, r.card_hash, r.batch_size, r.lanes,
  r.cut_at is not null as detected, r.plan_id, r.plan_id is null or r.canary_passed_at is not null as canary_passed`;

export interface RunRow extends Omit<CellRun, 'runId' | 'planId'> {
  readonly runId: string;
  readonly planId: string | null;
}

export async function findRun(tx: CellTransaction, runId: bigint): Promise<CellRun | undefined> {
  const row = await findRow<RunRow>(
    tx,
    `select ${RUN_COLUMNS} from credit_rollout.runs r where r.run_id = :run_id::bigint`,
    { run_id: runId },
  );
  return row && { ...row, runId: BigInt(row.runId), planId: toBigint(row.planId) };
}

/** The runs that are open here, paused or not, the oldest first. */
export async function listOpenRuns(tx: CellTransaction): Promise<readonly bigint[]> {
  const rows = await selectRows<Pick<RunRow, 'runId'>>(
    tx,
    `select run_id from credit_rollout.runs where state = 'open' order by run_id`,
  );
  return rows.map(({ runId }) => BigInt(runId));
}

/**
 * Opens the run that control sealed, and makes its card the active one. Idempotent: an existing run keeps its row and
 * its batches. It takes its batches from its plan, whose ranges cover every id (I12). False, and nothing is written:
 * the cell has neither the run nor the plan. Raises what `readSealFailure` reads.
 */
export async function openSealedRun(tx: CellTransaction, seal: Seal): Promise<boolean> {
  const { opened } = await selectRow<{ readonly opened: boolean }>(
    tx,
    'select credit_rollout.open_run(:seal::jsonb) as opened',
    { seal },
  );
  return opened;
}

/** The lanes of the runs that are open here, each number once. */
export async function listOpenLanes(tx: CellTransaction): Promise<readonly number[]> {
  const rows = await selectRows<Pick<RunRow, 'lanes'>>(
    tx,
    `select distinct lanes from credit_rollout.runs where state = 'open' order by lanes`,
  );
  return rows.map(({ lanes }) => lanes);
}

/** Batches read it as they begin: those beyond it end as they are. */
export async function saveLanes(tx: CellTransaction, lanes: number): Promise<void> {
  await execute(tx, `update credit_rollout.runs set lanes = :lanes::int where state = 'open' and lanes <> :lanes`, {
    lanes,
  });
}

/** Ends an open run; false when it was not open. */
export async function endRun(
  tx: CellTransaction,
  runId: bigint,
  state: 'done' | 'failed' | 'aborted',
): Promise<boolean> {
  const ended = await execute(
    tx,
    `update credit_rollout.runs set state = :state, ended_at = clock_timestamp()
     where run_id = :run_id::bigint and state = 'open'`,
    { state, run_id: runId },
  );
  return ended === 1;
}

/** Records that the canary is applied and verified: ranges may be taken from now on. */
export async function passCanary(tx: CellTransaction, runId: bigint): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.runs set canary_passed_at = clock_timestamp()
     where run_id = :run_id::bigint and canary_passed_at is null`,
    { run_id: runId },
  );
}

/**
 * Makes batches of the stale orgs that are left, once per run, however many ask at the same moment; returns how many.
 */
export async function addFollowUp(tx: CellTransaction, runId: bigint): Promise<number> {
  // a statement of its own: who waits for this lock sees afterwards that it was done
  const due = await findRow(
    tx,
    `select run_id from credit_rollout.runs
     where run_id = :run_id::bigint and follow_up_at is null for no key update`,
    { run_id: runId },
  );
  if (due === undefined) return 0;
  const { made } = await selectRow<{ made: number }>(
    tx,
    'select credit_rollout.add_follow_up(:run_id::bigint) as made',
    { run_id: runId },
  );
  return made;
}
