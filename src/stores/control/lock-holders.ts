// Which sessions keep something of control locked, so that schedulers and commands wait. Names of the catalog, never
// data; reads only, and needs no right on what is locked.
import { selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface ControlLockHolder {
  readonly pid: number;
  readonly role: string | null;
  /** Start of its transaction; where this login may not see that, since when somebody waits for it. */
  readonly since: Date | null;
}

/**
 * Sessions that somebody in this database waits for, and those that have held a lock on a table of ours for longer than
 * anything of ours does, whatever they call themselves. The oldest first, at most `limit`.
 */
export const listControlLockHolders = (tx: ControlTransaction, limit: number): Promise<readonly ControlLockHolder[]> =>
  selectRows<ControlLockHolder>(
    tx,
    `with awaited as (
       select b.pid, min(w.waitstart) as since
       from pg_catalog.pg_locks w
       join pg_catalog.pg_stat_activity a on a.pid = w.pid and a.datname = current_database()
       cross join lateral unnest(pg_blocking_pids(w.pid)) b (pid)
       where not w.granted and w.waitstart < clock_timestamp() - interval '1 s'
         and not exists (select from pg_catalog.pg_locks q where q.pid = b.pid and not q.granted)
       group by b.pid),
     kept as (
       select l.pid, a.xact_start as since
       from pg_catalog.pg_locks l
       join pg_catalog.pg_stat_activity a on a.pid = l.pid and a.datname = current_database()
       join pg_catalog.pg_class c on c.oid = l.relation
         and c.relnamespace = to_regnamespace('credit_rollout_control')
       where l.locktype = 'relation' and l.granted and l.mode <> 'AccessShareLock'
         and a.xact_start < clock_timestamp() - interval '30 s')
     select f.pid, a.usename::text as role, min(coalesce(a.xact_start, f.since)) as since
     from (select * from awaited union all select * from kept) f
     join pg_catalog.pg_stat_activity a on a.pid = f.pid
     where f.pid <> pg_backend_pid()
     group by f.pid, a.usename
     order by since nulls last, f.pid
     limit :limit`,
    { limit },
  );
