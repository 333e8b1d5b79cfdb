// The fence: the row and the advisory lock that say which run and epoch may write now. Order matters everywhere: lock
// in one statement, read in the next, because a READ COMMITTED snapshot is older than the statement's wait for a lock.
import { execute, selectRow } from '../../query.js';
import { askServer } from '../../refused-function.js';
import { toBigint } from '../allotment-row.js';
import { type CellTransaction, FENCE_LOCK, LOCK_CLASS } from '../cell-database.js';
import { type LockHolder, listLockHolders } from '../lock-holders.js';
import { FROZEN } from './freezes.js';

export const FENCE_STATES = ['open', 'verifying', 'closed'] as const;
export type FenceState = (typeof FENCE_STATES)[number];

export interface Fence {
  readonly state: FenceState;
  readonly epoch: bigint;
  readonly runId: bigint | null;
  /** The WAL timeline at which it was opened. */
  readonly timeline: string | null;
  /** The cell's timeline now. */
  readonly currentTimeline: string;
  /** The server has not started again since it was opened: else it may be an older copy, and is not open here. */
  readonly sameServer: boolean;
  /** Code of a broken rule; the run must not go on. */
  readonly failure: string | null;
  /** That code is the name of a constraint of ours, as the catalog says, which no login of a cell can write. */
  readonly failureIsRule: boolean;
  /** The change feed may write. */
  readonly singleWrites: boolean;
  /** Nothing may begin, whatever the state is. */
  readonly frozen: boolean;
}

/** The batch's side of the lock. Waiters are served in their order, so that batches never starve a pause. */
export async function lockFenceShared(tx: CellTransaction): Promise<void> {
  await execute(tx, 'select pg_advisory_xact_lock_shared(:lock_class, :lock)', {
    lock_class: LOCK_CLASS,
    lock: FENCE_LOCK,
  });
}

/**
 * The pause's side of the lock: once it is granted, no batch of ours is open in this cell. It waits longer than any
 * statement of a batch may take, and three seconds at most; then it throws 55P03.
 */
export async function lockFenceExclusive(tx: CellTransaction): Promise<void> {
  await execute(tx, 'set local statement_timeout = 3000; set local lock_timeout = 2900');
  await execute(tx, 'select pg_advisory_xact_lock(:lock_class, :lock)', { lock_class: LOCK_CLASS, lock: FENCE_LOCK });
}

/** The WAL timeline: a failover begins another one. */
const TIMELINE = 'left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)';
const TIMELINE_FUNCTIONS = 'pg_walfile_name(pg_current_wal_insert_lsn()) or pg_postmaster_start_time()';

/** SQL: whether the fence `f` was opened on this server, and since its last start. */
export const OPENED_HERE = 'f.server_started_at is not distinct from pg_postmaster_start_time()';

/** Before our schema exists; asks the functions that a fence is read with. Throws RefusedFunction. */
export async function assertTimelineReadable(tx: CellTransaction): Promise<void> {
  await askServer(TIMELINE_FUNCTIONS, () => selectRow(tx, `select ${TIMELINE} as timeline`));
}

interface FenceRow extends Omit<Fence, 'epoch' | 'runId'> {
  readonly epoch: string;
  readonly runId: string | null;
}

/** Throws RefusedFunction where the server does not tell its timeline. */
export async function readFence(tx: CellTransaction): Promise<Fence> {
  const row = await askServer(TIMELINE_FUNCTIONS, () =>
    selectRow<FenceRow>(
      tx,
      `select f.state, f.epoch, f.run_id, f.timeline, f.failure, f.single_writes,
         f.failure is not null and exists (select from pg_catalog.pg_constraint c where c.conname = f.failure
           and c.connamespace = to_regnamespace('credit_rollout')) as failure_is_rule,
         ${TIMELINE} as current_timeline, ${OPENED_HERE} as same_server, ${FROZEN} as frozen
       from credit_rollout.fence f`,
    ),
  );
  return { ...row, epoch: BigInt(row.epoch), runId: toBigint(row.runId) };
}

/** Needs the exclusive lock. The database rejects an epoch that is lower than the present one. */
export async function setFence(
  tx: CellTransaction,
  to: { readonly state: FenceState; readonly epoch: bigint; readonly runId: bigint },
): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.fence
     set state = :state, epoch = :epoch::bigint, run_id = :run_id::bigint, failure = null,
       changed_at = clock_timestamp(), timeline = ${TIMELINE},
       single_writes = false`,
    { state: to.state, epoch: to.epoch, run_id: to.runId },
  );
}

/**
 * Needs the exclusive lock. The run stays on the row, so that the reason of a failure stays readable. With an `epoch`,
 * no older one may write any more, and a failure of an older one is cleared. Writes only what differs.
 */
export async function saveFenceClosed(tx: CellTransaction, failure: string | null, epoch = 0n): Promise<void> {
  // the worker, which closes on a broken rule, has no right on the epoch
  const raiseEpoch = epoch > 0n ? ', epoch = greatest(epoch, :epoch::bigint)' : '';
  await execute(
    tx,
    `update credit_rollout.fence
     set state = 'closed', single_writes = false,
       failure = coalesce(:failure, case when epoch >= :epoch::bigint then failure end),
       changed_at = clock_timestamp()${raiseEpoch}
     where state <> 'closed' or epoch < :epoch::bigint or failure is distinct from coalesce(:failure, failure)`,
    { failure, epoch },
  );
}

/** Sessions of ours that still hold the fence, for a pause that takes longer than it should. */
export function listFenceHolders(tx: CellTransaction): Promise<readonly LockHolder[]> {
  return listLockHolders(tx, FENCE_LOCK);
}
