// SQL that both schemas record about the login of a process: what it may do beyond its work, in the whole server.

export interface PowersOptions {
  /** The roles of its work, of every cell that it may serve: an expression of POSIX for the whole name. */
  readonly allowed: string;
  /** SQL: what our roles here begin with; it is left out of a name. */
  readonly prefix: string;
}

/**
 * A trigger function's body that fills `login` and `powers` of a row: every role of ours on this server that is not of
 * its work, also of control and of other cells, what the server itself gives away, and roles of the product.
 */
export const recordLoginSql = ({ allowed, prefix }: PowersOptions, more = ''): string => `
  new.login := session_user;
  ${more}
  select case when r.rolsuper then '{superuser}'::text[] else array(
      select p.power from (
        select 0 as place, v.power from (values ('createrole', r.rolcreaterole), ('replication', r.rolreplication),
          ('bypassrls', r.rolbypassrls),
          ('owner', pg_has_role(r.oid, (select t.relowner from pg_class t where t.oid = tg_relid), 'member'))
        ) v (power, held) where v.held
        union all
        select 1, case when starts_with(o.rolname, ${prefix}) then substr(o.rolname, length(${prefix}) + 1)
            else o.rolname end
        from pg_roles o
        where (o.rolname ~ '^credit_rollout_' and o.rolname !~ '${allowed}' and not o.rolcanlogin
            and o.oid <> (select t.relowner from pg_class t where t.oid = tg_relid)
          or o.rolname in ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files',
            'pg_write_all_data', 'pg_read_all_data'))
          and o.oid <> r.oid and pg_has_role(r.oid, o.oid, 'member')) p
      order by p.place, p.power) end
    into new.powers from pg_roles r where r.rolname = session_user;
  return new;`;

/**
 * SQL that has every function of a schema which records them know two more: who may lock any table, and who may have
 * the server fetch rows from elsewhere. What else the server gives away decides nothing and reads no table.
 */
export const addPowersSql = (schema: 'credit_rollout' | 'credit_rollout_control'): string => `
do $$
declare
  recording regprocedure;
begin
  for recording in
    select p.oid from pg_proc p
    where p.pronamespace = '${schema}'::regnamespace and p.prosrc like '%''pg_write_all_data'', ''pg_read_all_data'')%'
  loop
    execute replace(pg_get_functiondef(recording), '''pg_write_all_data'', ''pg_read_all_data'')',
      '''pg_write_all_data'', ''pg_read_all_data'', ''pg_maintain'', ''pg_create_subscription'')');
  end loop;
end $$;`;
