// SQL that lets nobody write by an old snapshot, in control and in cells.

/** The trigger function of a schema; its triggers are made beside it. The owner, who upgrades, is not asked. */
export const requireReadCommittedSql = (schema: 'credit_rollout' | 'credit_rollout_control'): string =>
  `create function ${schema}.require_read_committed() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted')
     and not pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    raise exception '% is written at read committed', tg_table_name
      using errcode = 'object_not_in_prerequisite_state', constraint = 'written_at_read_committed';
  end if;
  return null;
end $$;
revoke all on function ${schema}.require_read_committed from public;`;
