// Settings that somebody gave a database or a login, so that every session of ours begins with them: by the catalog.
import type { Knex } from 'knex';
import { selectRows } from './query.js';

/**
 * What changes what our statements do, or switches triggers off. Not here: what each transaction of ours sets itself,
 * and what only concerns memory, logs and costs.
 */
const EFFECTIVE = [
  'session_replication_role',
  'role',
  '.*preload_libraries',
  'default_transaction_(read_only|deferrable)',
  '(transaction|idle_session)_timeout',
  'default_table_access_method',
  '(default|temp)_tablespaces?',
  'check_function_bodies',
  'enable_.*',
  'plan_cache_mode',
  'geqo.*',
  '.*_collapse_limit',
  'constraint_exclusion',
  'cursor_tuple_fraction',
  'force_parallel_mode',
  'debug_.*',
  'client_encoding',
  'gin_fuzzy_search_limit',
  'ignore_.*',
  'zero_damaged_pages',
  'exit_on_error',
  'createrole_self_grant',
  'credit_rollout.*',
];

export interface SessionSetting {
  readonly name: string;
  /** The statement that takes it away. */
  readonly reset: string;
}

const GIVEN = `
select distinct split_part(g.setting, '=', 1) as name,
  case when s.setrole = 0 and s.setdatabase = 0 then 'ALTER ROLE ALL'
    when s.setrole = 0 then format('ALTER DATABASE %I', d.datname)
    else format('ALTER ROLE %I', r.rolname) || case when s.setdatabase = 0 then ''
      else format(' IN DATABASE %I', d.datname) end end
    || format(' RESET %s', split_part(g.setting, '=', 1)) as reset
from pg_db_role_setting s
cross join unnest(s.setconfig) g (setting)
left join pg_roles r on r.oid = s.setrole
left join pg_database d on d.oid = s.setdatabase
where (s.setdatabase = 0 or d.datname = current_database())
  and (s.setrole = 0 or r.rolname = session_user or exists (
    select from pg_roles o where o.rolname like :prefix and o.oid <> r.oid and pg_has_role(r.oid, o.oid, 'member')
      and not r.rolsuper))
  and split_part(g.setting, '=', 1) ~ :effective
order by 1, 2`;

/** For this database, this login, and logins that are members of a role of ours, whose names begin with `prefix`. */
export function listSessionSettings(tx: Knex.Transaction, prefix: string): Promise<readonly SessionSetting[]> {
  return selectRows<SessionSetting>(tx, GIVEN, {
    prefix: `${prefix.replaceAll('_', String.raw`\_`)}%`,
    effective: `^(${EFFECTIVE.join('|')})$`,
  });
}
