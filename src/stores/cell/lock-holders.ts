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
