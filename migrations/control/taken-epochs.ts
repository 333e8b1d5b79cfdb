// Why: a scheduler's login gave a run a number that no cell opens, and it held the slot of every night of the fleet.
import type { Migration } from '../migration.js';

/**
 * Why: the id of a run is the epoch that its transaction took, and a later epoch of it one that was taken. A sweep is
 * of a cut-over that control knows of. The owner, who upgrades and restores, is not asked.
 */
export const numberRuns: Migration = {
  name: '20261203021010_pre_number_runs',
  up: `
create or replace function credit_rollout_control.begin_run() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  if new.state <> 'open' or new.ended_at is not null or new.counts is not null then
    raise exception 'a run begins open' using errcode = 'restrict_violation';
  end if;
  if new.epoch <> new.run_id or new.shut_epoch is not null or not exists (
      select from credit_rollout_control.rollout r
      where r.epoch = new.run_id and not credit_rollout_control.is_committed(r.xmin)) then
    raise exception 'the id of a run is the epoch that was taken for it' using errcode = 'restrict_violation',
      constraint = 'runs_epoch_taken_check';
  end if;
  if new.kind = 'reconcile' and not exists (select from credit_rollout_control.due_work w
        where w.data_center = new.data_center and w.kind = 'reconcile' and w.state = 'due')
     and not exists (select from credit_rollout_control.reconcile_requests q
        where q.data_center = new.data_center and q.ended_at is null and q.run_id is null
          and q.state in ('requested', 'approved'))
     or new.kind = 'sweep' and not exists (select from credit_rollout_control.data_centers d
        where d.id = new.data_center and d.gate_latched_at is not null and d.gate_swept_at is null) then
    raise exception 'no night is due, and nobody asked for one' using errcode = 'restrict_violation',
      constraint = 'runs_night_due_check';
  end if;
  return new;
end $$;

create function credit_rollout_control.check_run_epoch() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  if new.epoch is null or new.shut_epoch > new.epoch
     or new.epoch is distinct from old.epoch and (new.epoch < old.epoch
       or new.epoch > (select r.epoch from credit_rollout_control.rollout r)) then
    raise exception 'this epoch was not taken' using errcode = 'restrict_violation',
      constraint = 'runs_epoch_taken_check';
  end if;
  return new;
end $$;
create trigger runs_check_epoch before update on credit_rollout_control.runs for each row
  when ((new.epoch, new.shut_epoch) is distinct from (old.epoch, old.shut_epoch))
  execute function credit_rollout_control.check_run_epoch();
revoke all on function credit_rollout_control.check_run_epoch from public;`,
};
