// Why: only two people can postpone a cut-over, and the database fills in who they are.
import type { Migration } from '../migration.js';

export const guardPostponements: Migration = {
  name: '20261123011000_pre_guard_postponements',
  up: `
comment on table credit_rollout_control.postponements is
  'proposals to move a cut-over: applied when a second person approves, or withdrawn; kept for ever';
-- history outlives everything: no cascade
alter table credit_rollout_control.postponements
  drop constraint postponements_data_center_fkey,
  add constraint postponements_data_center_fkey foreign key (data_center) references credit_rollout_control.data_centers;

create function credit_rollout_control.bind_postponement() returns trigger language plpgsql as $$
declare
  moved credit_rollout_control.data_centers;
  broken text;
begin
  select * into moved from credit_rollout_control.data_centers where id = new.data_center;
  broken := case
    when new.to_at <= clock_timestamp() then 'postponements_future_check'
    when new.to_at < moved.not_before_at then 'postponements_not_before_check'
    when new.to_at = moved.cutover_at then 'postponements_moves_check'
    when moved.gate_latched_at is not null or moved.gate_effective_at <= clock_timestamp() then 'postponements_in_time_check' end;
  if broken is not null then
    raise exception 'the cut-over of % cannot move to this instant', new.data_center
      using errcode = 'check_violation', constraint = broken;
  end if;
  new.from_at := moved.cutover_at;
  new.from_local := moved.cutover_local;
  new.author := credit_rollout_control.person();
  new.proposed_at := clock_timestamp();
  new.approver := null;
  new.decided_at := null;
  new.state := 'proposed';
  return new;
end $$;
create trigger postponements_bind before insert on credit_rollout_control.postponements
  for each row execute function credit_rollout_control.bind_postponement();

create function credit_rollout_control.keep_postponement() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or old.state <> 'proposed' or new.state = 'proposed'
     or (new.postponement_id, new.data_center, new.from_at, new.from_local, new.to_at, new.to_local, new.reason, new.author,
         new.proposed_at) is distinct from
        (old.postponement_id, old.data_center, old.from_at, old.from_local, old.to_at, old.to_local, old.reason, old.author,
         old.proposed_at) then
    raise exception 'a postponement is decided once, and never changed' using errcode = 'restrict_violation';
  end if;
  new.decided_at := clock_timestamp();
  new.approver := case new.state when 'applied' then credit_rollout_control.person() end;
  if new.state = 'applied' and (new.to_at <= new.decided_at or new.from_at is distinct from (
       select d.cutover_at from credit_rollout_control.data_centers d where d.id = new.data_center)) then
    raise exception 'the postponement is outdated' using errcode = 'check_violation', constraint = 'postponements_future_check';
  end if;
  return new;
end $$;
create trigger postponements_kept before update or delete on credit_rollout_control.postponements
  for each row execute function credit_rollout_control.keep_postponement();
create trigger postponements_refuse_truncate before truncate on credit_rollout_control.postponements
  for each statement execute function credit_rollout_control.refuse_change();

create function credit_rollout_control.keep_cutover() returns trigger language plpgsql as $$
begin
  if not exists (select from credit_rollout_control.postponements p where p.from_at = old.cutover_at and p.to_at = new.cutover_at
       and p.postponement_id = (select max(a.postponement_id) from credit_rollout_control.postponements a
         where a.data_center = new.id and a.state = 'applied')) then
    raise exception 'a cut-over that was pinned moves by an approved postponement only' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger data_centers_keep_cutover before update on credit_rollout_control.data_centers for each row
  when (old.cutover_at is not null and new.cutover_at is distinct from old.cutover_at)
  execute function credit_rollout_control.keep_cutover();`,
};
