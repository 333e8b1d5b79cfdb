// The fence: the row and the advisory lock that say which run and epoch may write now.
// Order matters everywhere: lock in one statement, read in the next (a READ COMMITTED snapshot is older than its wait).
import { type CellTransaction, FENCE_LOCK, LOCK_CLASS } from '../cell-database.js';
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
  /** Code of a broken rule; the run must not go on. */
  readonly failure: string | null;
  /** The change feed may write. */
  readonly singleWrites: boolean;
  /** Nothing may begin, whatever the state says. */
  readonly frozen: boolean;
}

/** A batch's side: FIFO with the exclusive side, so a pause cannot starve. */
export async function lockFenceShared(tx: CellTransaction): Promise<void> {
  await tx.raw('select pg_advisory_xact_lock_shared(?, ?)', [LOCK_CLASS, FENCE_LOCK]);
}

/**
 * The pause's side: when it is granted, no batch of ours is open in this cell. It waits longer than any statement of a
 * batch may take, and three seconds at most.
 */
export async function lockFenceExclusive(tx: CellTransaction): Promise<void> {
  await tx.raw('set local statement_timeout = 3000; set local lock_timeout = 2900');
  await tx.raw('select pg_advisory_xact_lock(?, ?)', [LOCK_CLASS, FENCE_LOCK]);
}

export async function readFence(tx: CellTransaction): Promise<Fence> {
  const { rows } = await tx.raw(
    `select f.*, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) as current_timeline, ${FROZEN} as frozen
     from credit_rollout.fence f`,
  );
  const row = rows[0];
  return {
    state: row.state,
    epoch: BigInt(row.epoch),
    runId: row.run_id === null ? null : BigInt(row.run_id),
    timeline: row.timeline,
    currentTimeline: row.current_timeline,
    failure: row.failure,
    singleWrites: row.single_writes,
    frozen: row.frozen,
  };
}

/** Needs the exclusive lock. The database refuses an epoch that goes back. */
export async function setFence(
  tx: CellTransaction,
  to: { readonly state: FenceState; readonly epoch: bigint; readonly runId: bigint },
): Promise<void> {
  await tx.raw(
    `update credit_rollout.fence set state = ?, epoch = ?::bigint, run_id = ?::bigint, failure = null, changed_at = clock_timestamp(),
       timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), single_writes = false`,
    [to.state, String(to.epoch), String(to.runId)],
  );
}

/**
 * Needs the exclusive lock. Keeps the run, so that the reason stays readable; `epoch` shuts out everything older, and a failure
 * of an older one goes with it. A fence that is shut already is left as it is.
 */
export async function saveFenceClosed(tx: CellTransaction, failure: string | null, epoch = 0n): Promise<void> {
  // the worker, which closes on a broken rule, has no right on the epoch
  const raise = epoch > 0n ? { set: ', epoch = greatest(epoch, ?::bigint)', bindings: [String(epoch)] } : undefined;
  await tx.raw(
    `update credit_rollout.fence set state = 'closed', single_writes = false,
       failure = coalesce(?, case when epoch >= ?::bigint then failure end), changed_at = clock_timestamp()${raise?.set ?? ''}
     where state <> 'closed' or epoch < ?::bigint or failure is distinct from coalesce(?, failure)`,
    [failure, String(epoch), ...(raise?.bindings ?? []), String(epoch), failure],
  );
}

/** Sessions of ours that still hold the fence, for a pause that takes longer than it should. */
export async function listFenceHolders(
  tx: CellTransaction,
): Promise<readonly { pid: number; since: Date | null; application: string }[]> {
  const { rows } = await tx.raw(
    `select l.pid, a.xact_start as since, coalesce(a.application_name, '') as application
     from pg_locks l left join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = ?::oid and l.objid = ?::oid and l.granted and l.database = (
       select oid from pg_database where datname = current_database())`,
    [LOCK_CLASS, FENCE_LOCK],
  );
  return rows;
}
