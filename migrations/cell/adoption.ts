// Why: a cell that was moved or upgraded on purpose has another system identifier. That it is still the cell of its
// data center is for two people to say, not for whoever can write one row.
import type { Migration } from '../migration.js';

/** Why: a seal of control names what two people saw: the old and the new place, and the state of the cell. */
export const adoptMovedCells: Migration = {
  name: '20261130033500_pre_adopt_moved_cells',
  up: `
-- What an adoption is about, as a hash: another copy of the cell, or one that went on since, has another one.
create function credit_rollout.digest_adoption() returns text language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select encode(sha256(convert_to(jsonb_build_object(
    'data_center', c.data_center, 'from_system', c.system_identifier, 'from_database', c.database_name,
    'to_system', s.system_identifier::text, 'to_database', current_database(),
    'timeline', left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), 'fence', f.state, 'epoch', f.epoch,
    'run', (select max(r.run_id) from credit_rollout.runs r),
    'plan', (select max(p.plan_id) from credit_rollout.plans p))::text, 'UTF8')), 'hex')
  from credit_rollout.cell c, credit_rollout.fence f, pg_control_system() s
$$;

-- Makes this database the cell of its data center. A fence that is closed is closed here too; one that is open is
-- opened again by a scheduler under a new epoch. Sequences that did not come along go beyond what the tables have.
create function credit_rollout.adopt_cell(document jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  owned record;
  newest bigint;
begin
  perform credit_rollout.check_seal(document, 'adoption');
  if document ->> 'digest' is distinct from credit_rollout.digest_adoption() then
    raise exception 'the cell is not what two people saw'
      using errcode = 'restrict_violation', constraint = 'adoption_outdated';
  end if;
  perform credit_rollout.record_seal(document);
  update credit_rollout.cell set system_identifier = (select s.system_identifier::text from pg_control_system() s),
    database_name = current_database();
  update credit_rollout.fence set timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
    where state = 'closed' and timeline is not null;
  for owned in
    select s.oid::regclass as sequence, a.attname as name, d.refobjid::regclass as relation
    from pg_class s
    join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i')
      and d.refclassid = 'pg_class'::regclass
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where s.relkind = 'S' and s.relnamespace = 'credit_rollout'::regnamespace
  loop
    execute format('select max(%I)::bigint from %s', owned.name, owned.relation) into newest;
    if newest > (select coalesce(q.last_value, 0) from pg_sequences q
        where format('%I.%I', q.schemaname, q.sequencename)::regclass = owned.sequence) then
      perform setval(owned.sequence, newest);
    end if;
  end loop;
  select max(p.plan_id) into newest from credit_rollout.plans p;
  if newest > (select case when s.is_called then s.last_value else 0 end from credit_rollout.plan_ids s) then
    perform setval('credit_rollout.plan_ids', newest);
  end if;
  perform setval('credit_rollout.gate_latches', case when g.latched_at is null then 0 else 1 end)
    from credit_rollout.gate g;
end $$;
revoke all on function credit_rollout.digest_adoption, credit_rollout.adopt_cell from public;`,
};
