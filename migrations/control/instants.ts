// Why: dates and instants that a login writes are read by every other process. Postgres has some that no program can
// hold, such as infinity, and a login chose when it was seen, and for which day it began a night.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';

/**
 * Why: one row that was due at infinity stopped every tick of every scheduler. What adds such a column runs this SQL
 * again.
 */
export const checkControlInstants: Migration = {
  name: '20261201075900_pre_check_instants',
  up: checkInstantsSql('credit_rollout_control', []),
};

/**
 * Why: a scheduler's login began as many nights as it liked, each within the limits of one, and wrote nights and runs
 * of the past. A night is due on its own day, at the time of the policy, give or take a change of the clocks; what is
 * over was missed. The owner, who upgrades and restores, is not asked.
 */
export const beginOneNightADay: Migration = {
  name: '20261201020200_pre_begin_one_night_a_day',
  up: `
create function credit_rollout_control.sign_due_work() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  moment timestamptz := clock_timestamp();
  place credit_rollout_control.data_centers;
begin
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  select * into strict place from credit_rollout_control.data_centers d where d.id = new.data_center;
  if tg_op = 'INSERT' then
    if new.due_at > moment + interval '1 minute'
       or (new.state = 'due' and (new.kind <> 'reconcile' or new.due_at < moment - interval '50 hours'))
       or new.state = 'running' or new.run_id is not null or new.counts is not null
       or new.kind = 'reconcile' and (new.state not in ('due', 'missed')
         or abs(extract(epoch from new.due_at - ((new.local_date
             + (credit_rollout_control.setting('reconcile.at') #>> '{}')::time) at time zone place.zone))) > 10800)
       or new.kind <> 'reconcile' and (new.local_date <> (new.due_at at time zone place.zone)::date
         or new.due_at is distinct from place.cutover_at
           - case new.kind when 'alarm_48h' then interval '48 hours' else interval '2 hours' end) then
      raise exception 'nothing of this kind is due then' using errcode = 'check_violation',
        constraint = 'due_work_in_time_check';
    end if;
    new.due_local := to_char(new.due_at at time zone place.zone, 'YYYY-MM-DD"T"HH24:MI:SS') || ' ' || place.zone;
    new.started_at := null;
    new.ended_at := case when new.state <> 'due' then moment end;
    return new;
  end if;
  if not ((old.state, new.state) in (('due', 'running'), ('due', 'missed'))
      or old.state = 'running' and new.state in ('ran', 'caught_up', 'missed') and new.run_id = old.run_id)
     or new.state = 'running' and not exists (select from credit_rollout_control.runs r
       where r.run_id = new.run_id and r.data_center = new.data_center and r.kind = 'reconcile' and r.state = 'open') then
    raise exception 'a night begins once, with an open run of its own' using errcode = 'restrict_violation';
  end if;
  new.due_local := old.due_local;
  new.started_at := case when new.state = 'running' then moment else old.started_at end;
  new.ended_at := case when new.state not in ('due', 'running') then moment end;
  return new;
end $$;
create trigger due_work_signed before insert or update on credit_rollout_control.due_work
  for each row execute function credit_rollout_control.sign_due_work();

-- A run begins open, now, for what waits; it counts when it ends.
create function credit_rollout_control.begin_run() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  if new.state <> 'open' or new.ended_at is not null or new.counts is not null then
    raise exception 'a run begins open' using errcode = 'restrict_violation';
  end if;
  if new.kind = 'reconcile' and not exists (select from credit_rollout_control.due_work w
        where w.data_center = new.data_center and w.kind = 'reconcile' and w.state = 'due')
     and not exists (select from credit_rollout_control.reconcile_requests q
        where q.data_center = new.data_center and q.ended_at is null and q.run_id is null
          and q.state in ('requested', 'approved')) then
    raise exception 'no night is due, and nobody asked for one' using errcode = 'restrict_violation',
      constraint = 'runs_night_due_check';
  end if;
  return new;
end $$;
create trigger runs_begin before insert on credit_rollout_control.runs
  for each row execute function credit_rollout_control.begin_run();

-- Whether a scheduler lives is what this database saw.
create function credit_rollout_control.sign_seen() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  new.seen_at := clock_timestamp();
  new.started_at := case when tg_op = 'INSERT' then new.seen_at else old.started_at end;
  return new;
end $$;
create trigger schedulers_sign_seen before insert or update on credit_rollout_control.schedulers
  for each row execute function credit_rollout_control.sign_seen();
-- a row that nobody could have been seen in is of nobody
delete from credit_rollout_control.due_work where not isfinite(local_date) or not isfinite(due_at);
delete from credit_rollout_control.schedulers where not isfinite(seen_at) or seen_at > clock_timestamp();

revoke all on function credit_rollout_control.sign_due_work, credit_rollout_control.begin_run,
  credit_rollout_control.sign_seen from public;`,
};
