// Who holds one of our advisory locks in this cell: for the messages of whoever waits for it. Reads only.
import { selectRows } from '../query.js';
import { type CellTransaction, LOCK_CLASS } from './cell-database.js';

export interface LockHolder {
  /** Null: a prepared transaction. */
  readonly pid: number | null;
  /** Start of its transaction; null where this login may not see it. */
  readonly since: Date | null;
  readonly application: string;
}

/** Sessions that hold the lock of this number, shared or exclusive, the oldest transaction first. */
export function listLockHolders(tx: CellTransaction, lock: number): Promise<readonly LockHolder[]> {
  return selectRows<LockHolder>(
    tx,
    `select l.pid, a.xact_start as since, coalesce(a.application_name, '') as application
     from pg_locks l left join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = :lock_class::oid and l.objid = :lock::oid and l.granted
       and l.database = (select oid from pg_database where datname = current_database())
     order by a.xact_start nulls last, l.pid`,
    { lock_class: LOCK_CLASS, lock },
  );
}

export interface KeptLock {
  /** Null: a prepared transaction. */
  readonly pid: number | null;
  readonly role: string | null;
  /** 0: of the fence; -1: of the gate; others: of a lane, the schema, the feed or the sign-ups. */
  readonly lock: number;
  /** Start of its transaction; where this login may not see that, since when somebody waits for it. */
  readonly since: Date;
}

/**
 * Sessions that have held one of our advisory locks for longer than anything of ours does, or that somebody waits for,
 * whatever they call themselves. The oldest first, at most `limit`. As the login itself: roles of ours see no start.
 */
export const listKeptLocks = (tx: CellTransaction, limit: number): Promise<readonly KeptLock[]> =>
  selectRows<KeptLock>(
    tx,
    `with ours as (
       select l.* from pg_catalog.pg_locks l
       where l.locktype = 'advisory' and l.classid = :lock_class::oid
         and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database()))
     select l.pid, a.usename::text as role, l.objid::bigint::bit(32)::int as lock,
       min(coalesce(a.xact_start, w.waitstart)) as since
     from ours l
     left join pg_catalog.pg_stat_activity a on a.pid = l.pid
     left join ours w on w.objid = l.objid and not w.granted and w.waitstart < clock_timestamp() - interval '1 s'
     where l.granted and l.pid is distinct from pg_backend_pid()
       and (w.pid is not null or l.pid is null or a.xact_start < clock_timestamp() - interval '10 s')
       and coalesce(a.xact_start, w.waitstart) is not null
     group by 1, 2, 3
     order by since, l.pid
     limit :limit`,
    { lock_class: LOCK_CLASS, limit },
  );
