// Why: what a scheduler's login may do in a cell beyond a scheduler was seen by nobody.
import type { Migration } from '../migration.js';

/** Why: the cell itself writes down who its schedulers log in as. Old schedulers write nothing here. */
export const recordCellSchedulers: Migration = {
  name: '20261129220000_pre_record_schedulers',
  up: `
create table credit_rollout.schedulers (
  login text primary key,
  seen_at timestamptz not null default clock_timestamp(),
  powers text[] not null default '{}'
);
comment on table credit_rollout.schedulers is 'logins of schedulers that have worked in this cell lately';
comment on column credit_rollout.schedulers.powers is
  'what the login may do beyond a scheduler: superuser, createrole, owner, or other roles of the cell';

create function credit_rollout.record_scheduler_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.login := session_user;
  new.seen_at := clock_timestamp();
  select case when r.rolsuper then '{superuser}'::text[] else array(
      select p.power from (values
        ('createrole', r.rolcreaterole),
        ('owner', pg_has_role(r.oid, (select t.relowner from pg_class t where t.oid = tg_relid), 'member')),
        ('worker', pg_has_role(r.oid, to_regrole(c.prefix || 'worker'), 'member')),
        ('planner', pg_has_role(r.oid, to_regrole(c.prefix || 'planner'), 'member')),
        ('operator', pg_has_role(r.oid, to_regrole(c.prefix || 'operator'), 'member')),
        ('override', pg_has_role(r.oid, to_regrole(c.prefix || 'override'), 'member'))) p (power, held)
      where p.held) end
    into new.powers
    from pg_roles r cross join (
      select 'credit_rollout_' || replace(x.data_center, '-', '_') || '_' as prefix from credit_rollout.cell x) c
    where r.rolname = session_user;
  return new;
end $$;
create trigger schedulers_record_login before insert or update on credit_rollout.schedulers
  for each row execute function credit_rollout.record_scheduler_login();

create or replace function credit_rollout.purge_nights(document jsonb, most integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from credit_rollout.schedulers where seen_at < clock_timestamp() - interval '1 day';
  return credit_rollout.delete_old_nights(credit_rollout.sealed_days(document, 'drift_days'), most);
end $$;

revoke all on function credit_rollout.record_scheduler_login from public;`,
};
