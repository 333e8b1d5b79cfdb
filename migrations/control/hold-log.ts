// Why: how long a rollout took says nothing while nobody knows how much of it was waiting, and for what.
import type { Migration } from '../migration.js';

/** Why: whoever writes holds, an old scheduler too, writes the log: triggers do it. Codes and values as `holds` has. */
export const logHolds: Migration = {
  name: '20261130033700_pre_log_holds',
  up: `
create table credit_rollout_control.hold_log (
  hold_id bigint generated always as identity primary key,
  data_center text not null references credit_rollout_control.data_centers on delete cascade,
  code text not null,
  value text,
  since timestamptz not null,
  until timestamptz,
  constraint hold_log_until_check check (until >= since)
);
comment on table credit_rollout_control.hold_log is 'holds that were, and those that are: what a rollout waited for';
comment on column credit_rollout_control.hold_log.value is 'as it was when the hold began';
comment on column credit_rollout_control.hold_log.until is 'null: it is held now';
create unique index hold_log_open_idx on credit_rollout_control.hold_log (data_center, code) where until is null;
-- of a rollout: see listLoggedHolds
create index hold_log_since_idx on credit_rollout_control.hold_log (data_center, since);
insert into credit_rollout_control.hold_log (data_center, code, value, since)
  select h.data_center, h.code, h.value, h.since from credit_rollout_control.holds h;

-- With the owner's rights: no login may write the log.
create function credit_rollout_control.log_hold() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.holds'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if tg_op = 'INSERT' then
    insert into credit_rollout_control.hold_log (data_center, code, value, since)
      values (new.data_center, new.code, new.value, least(new.since, clock_timestamp())) on conflict do nothing;
  else
    update credit_rollout_control.hold_log set until = greatest(since, clock_timestamp())
      where data_center = old.data_center and code = old.code and until is null;
  end if;
  return null;
end $$;
create trigger holds_logged after insert or delete on credit_rollout_control.holds
  for each row execute function credit_rollout_control.log_hold();

-- A rollout that failed waits for a person: no hold says so.
create function credit_rollout_control.log_failed() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.data_centers'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if new.stage = 'failed' then
    insert into credit_rollout_control.hold_log (data_center, code, since)
      values (new.id, 'failed', clock_timestamp()) on conflict do nothing;
  else
    update credit_rollout_control.hold_log set until = greatest(since, clock_timestamp())
      where data_center = new.id and code = 'failed' and until is null;
  end if;
  return null;
end $$;
create trigger data_centers_logged after update on credit_rollout_control.data_centers for each row
  when (new.stage <> old.stage and 'failed' in (new.stage, old.stage))
  execute function credit_rollout_control.log_failed();

-- While no scheduler runs nobody writes holds: the first one that comes back does.
create function credit_rollout_control.log_no_scheduler() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  seen timestamptz := (select max(s.seen_at) from credit_rollout_control.schedulers s
    where s.scheduler_id <> new.scheduler_id);
begin
  if tg_relid <> 'credit_rollout_control.schedulers'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  seen := greatest(seen, case when tg_op = 'UPDATE' then old.seen_at end);
  if seen < clock_timestamp() - interval '1 minute' then
    insert into credit_rollout_control.hold_log (data_center, code, since, until)
      select d.id, 'no_scheduler', greatest(seen, least(d.requested_at, clock_timestamp())), clock_timestamp()
      from credit_rollout_control.data_centers d where d.requested_at is not null;
  end if;
  return null;
end $$;
create trigger schedulers_logged after insert or update on credit_rollout_control.schedulers
  for each row execute function credit_rollout_control.log_no_scheduler();

alter table credit_rollout_control.runs add requested_at timestamptz;
comment on column credit_rollout_control.runs.requested_at is
  'when its rollout was requested; null: a night or a sweep, or a run of an earlier version';
create function credit_rollout_control.date_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.requested_at := case new.kind when 'migrate' then (
    select d.requested_at from credit_rollout_control.data_centers d where d.id = new.data_center) end;
  return new;
end $$;
create trigger runs_date_request before insert on credit_rollout_control.runs
  for each row execute function credit_rollout_control.date_request();

-- Holds that ended so long ago, but those of the newest rollout of a data center. At most so many; returns how many.
create function credit_rollout_control.purge_hold_log(retention_days integer, most integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  purged integer;
begin
  if retention_days < 1
     or make_interval(days => retention_days)
        < (credit_rollout_control.setting('reconcile.driftRetention') #>> '{}')::interval then
    raise exception 'holds are kept for longer' using errcode = 'invalid_parameter_value';
  end if;
  delete from credit_rollout_control.hold_log where hold_id in (
    select h.hold_id from credit_rollout_control.hold_log h
    where h.until < clock_timestamp() - make_interval(days => retention_days)
      and not exists (select from credit_rollout_control.runs r
        where r.data_center = h.data_center and r.kind = 'migrate'
          and h.until > coalesce(r.requested_at, r.opened_at) and h.since < coalesce(r.ended_at, 'infinity')
          and r.run_id = (select max(n.run_id) from credit_rollout_control.runs n
            where n.data_center = r.data_center and n.kind = 'migrate'))
    order by h.hold_id limit most);
  get diagnostics purged = row_count;
  return purged;
end $$;
revoke all on function credit_rollout_control.log_hold, credit_rollout_control.log_failed,
  credit_rollout_control.log_no_scheduler, credit_rollout_control.date_request,
  credit_rollout_control.purge_hold_log from public;`,
};
