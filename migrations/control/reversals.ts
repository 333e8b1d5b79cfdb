// Why: only two people can reverse a cut-over that has happened, and the database fills in who they are.
import type { Migration } from '../migration.js';

export const createControlReversals: Migration = {
  name: '20261123060000_pre_create_reversals',
  up: `
create table credit_rollout_control.reversals (
  reversal_id bigint generated always as identity primary key,
  data_center text not null references credit_rollout_control.data_centers,
  from_at timestamptz,
  from_local text,
  to_at timestamptz not null,
  to_local text not null,
  reason text not null check (reason <> ''),
  author text not null,
  proposed_at timestamptz not null default clock_timestamp(),
  approver text,
  decided_at timestamptz,
  state text not null default 'proposed' check (state in ('proposed', 'applied', 'withdrawn')),
  constraint reversals_two_people_check check (approver is null or approver <> author),
  constraint reversals_applied_check check (state <> 'applied' or (approver is not null and decided_at is not null))
);
comment on table credit_rollout_control.reversals is
  'proposals to take back a cut-over that has happened: applied when a second person approves, or withdrawn; kept for ever';
create unique index reversals_open_idx on credit_rollout_control.reversals (data_center) where state = 'proposed';

create function credit_rollout_control.bind_reversal() returns trigger language plpgsql as $$
declare
  moved credit_rollout_control.data_centers;
  broken text;
begin
  select * into moved from credit_rollout_control.data_centers where id = new.data_center;
  broken := case
    when new.to_at <= clock_timestamp() then 'reversals_future_check'
    when moved.gate_latched_at is null then 'reversals_latched_check' end;
  if broken is not null then
    raise exception 'the cut-over of % cannot be reversed', new.data_center using errcode = 'check_violation', constraint = broken;
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
create trigger reversals_bind before insert on credit_rollout_control.reversals
  for each row execute function credit_rollout_control.bind_reversal();

create function credit_rollout_control.keep_reversal() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or old.state <> 'proposed' or new.state = 'proposed'
     or (new.reversal_id, new.data_center, new.from_at, new.from_local, new.to_at, new.to_local, new.reason, new.author, new.proposed_at)
        is distinct from
        (old.reversal_id, old.data_center, old.from_at, old.from_local, old.to_at, old.to_local, old.reason, old.author, old.proposed_at) then
    raise exception 'a reversal is decided once, and never changed' using errcode = 'restrict_violation';
  end if;
  new.decided_at := clock_timestamp();
  new.approver := case new.state when 'applied' then credit_rollout_control.person() end;
  if new.state = 'applied' and (new.to_at <= new.decided_at or new.from_at is distinct from (
       select d.cutover_at from credit_rollout_control.data_centers d where d.id = new.data_center)) then
    raise exception 'the reversal is outdated' using errcode = 'check_violation', constraint = 'reversals_future_check';
  end if;
  return new;
end $$;
create trigger reversals_kept before update or delete on credit_rollout_control.reversals
  for each row execute function credit_rollout_control.keep_reversal();
create trigger reversals_refuse_truncate before truncate on credit_rollout_control.reversals
  for each statement execute function credit_rollout_control.refuse_change();

create or replace function credit_rollout_control.keep_cutover() returns trigger language plpgsql as $$
begin
  if not exists (
    select from (
      select m.* from (
        select p.from_at, p.to_at, p.decided_at from credit_rollout_control.postponements p
          where p.data_center = new.id and p.state = 'applied'
        union all
        select r.from_at, r.to_at, r.decided_at from credit_rollout_control.reversals r
          where r.data_center = new.id and r.state = 'applied') m
      order by m.decided_at desc limit 1) newest
    where newest.from_at = old.cutover_at and newest.to_at = new.cutover_at) then
    raise exception 'a cut-over that was pinned moves by an approved postponement or reversal only' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;`,
};
