// Which sessions keep work of ours in this cell from going on, by their locks: for the terminal of whoever asks. Names
// of the catalog, never data; reads only, and needs no right on what is locked.
import { execute, selectRows } from '../query.js';
import type { CellTransaction } from './cell-database.js';

export interface Blocker {
  /** Null: a prepared transaction. */
  readonly pid: number | null;
  readonly role: string | null;
  readonly application: string;
  /** Schema and name; null: what it locks is no relation, such as a row or one of our advisory locks. */
  readonly relation: string | null;
  /** As LOCK TABLE has it, such as ACCESS EXCLUSIVE. */
  readonly mode: string | null;
  /** It waits for the lock itself, and what comes after it waits as well. */
  readonly queued: boolean;
  /** Start of its transaction; where this login may not see that, since when somebody waits for it; null: nobody. */
  readonly since: Date | null;
}

/** What reads the source: itself, what its views are made of, and the partitions and children of those. */
const SOURCE = `source (oid) as (
  select to_regclass('credit_rollout.source_orgs')::oid
  union
  select n.oid from source s cross join lateral (
    select d.refobjid as oid from pg_catalog.pg_rewrite w
      join pg_catalog.pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
        and d.refclassid = 'pg_class'::regclass
      where w.ev_class = s.oid
    union all
    select h.inhrelid from pg_catalog.pg_inherits h where h.inhparent = s.oid) n)`;

/**
 * As the login itself, since roles of ours do not see when other sessions began: the last statement of its transaction.
 *
 * Sessions whose lock our reads of the source or our writes wait for now, or would; and those that a session of ours
 * waits for in another way. The oldest first, at most `limit`.
 */
export async function listBlockers(tx: CellTransaction, limit: number): Promise<readonly Blocker[]> {
  await execute(tx, 'set local role none');
  return selectRows<Blocker>(
    tx,
    `with recursive ${SOURCE}, ours (oid) as (
       select c.oid from pg_catalog.pg_class c where c.relnamespace = to_regnamespace('credit_rollout')),
     locks as (
       select l.* from pg_catalog.pg_locks l
       where l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())),
     conflicting as (
       select l.pid, l.relation, l.mode, not l.granted as queued,
         (select min(w.waitstart) from locks w
          where w.relation = l.relation and (l.granted or w.pid = l.pid)) as waitstart
       from locks l
       where l.locktype = 'relation' and l.pid is distinct from pg_backend_pid()
         and (l.mode = 'AccessExclusiveLock' and l.relation in (select s.oid from source s)
           or l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
             and l.relation in (select o.oid from ours o))),
     awaited as (
       select b.pid, null::oid as relation, null::text as mode, false as queued, min(w.waitstart) as waitstart
       from pg_catalog.pg_locks w
       join pg_catalog.pg_stat_activity a on a.pid = w.pid and a.datname = current_database()
         and a.application_name like 'credit-rollout%'
       cross join lateral unnest(pg_blocking_pids(w.pid)) b (pid)
       where not w.granted
       group by b.pid),
     found as (
       select * from conflicting
       union all
       select * from awaited w
       where w.pid = 0 or w.pid not in (select c.pid from conflicting c where c.pid is not null))
     select nullif(f.pid, 0) as pid, a.usename::text as role, coalesce(a.application_name, '') as application,
       case when f.relation is not null then format('%I.%I', n.nspname, c.relname) end as relation,
       upper(regexp_replace(regexp_replace(f.mode, 'Lock$', ''), '([a-z])([A-Z])', '\\1 \\2', 'g')) as mode, f.queued,
       coalesce(a.xact_start, f.waitstart) as since
     from found f
     left join pg_catalog.pg_stat_activity a on a.pid = f.pid
     left join pg_catalog.pg_class c on c.oid = f.relation
     left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     -- one of ours holds such a lock for moments, and anybody may call a session of theirs so
     where not coalesce(a.application_name like 'credit-rollout%' and f.relation is null
       and coalesce(f.waitstart > clock_timestamp() - interval '5 s', true), false)
     order by f.queued, since nulls last, f.pid
     limit :limit`,
    { limit },
  );
}
