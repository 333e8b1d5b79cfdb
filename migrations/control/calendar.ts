// Why: wake-ups are lost, doubled and late. What is due is a row, unique per data center, kind and local date.
import type { Migration } from '../migration.js';

export const createCalendar: Migration = {
  name: '20261123010000_pre_create_calendar',
  up: `
create table credit_rollout_control.due_work (
  data_center text not null references credit_rollout_control.data_centers on delete cascade,
  kind text not null check (kind in ('reconcile', 'alarm_48h', 'alarm_2h')),
  local_date date not null,
  due_at timestamptz not null,
  due_local text not null,
  state text not null default 'due' check (state in ('due', 'running', 'ran', 'caught_up', 'missed')),
  run_id bigint,
  started_at timestamptz,
  ended_at timestamptz,
  note text,
  counts jsonb,
  primary key (data_center, kind, local_date),
  constraint due_work_ended_check check ((state in ('ran', 'caught_up', 'missed')) = (ended_at is not null))
);
comment on column credit_rollout_control.due_work.note is 'why it was missed, or what an alarm says';
create function credit_rollout_control.keep_due_work() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or old.state in ('ran', 'caught_up', 'missed')
     or (new.data_center, new.kind, new.local_date, new.due_at) is distinct from (old.data_center, old.kind, old.local_date, old.due_at) then
    raise exception 'due work ends once' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger due_work_ends_once before update on credit_rollout_control.due_work
  for each row execute function credit_rollout_control.keep_due_work();

create table credit_rollout_control.reconcile_requests (
  request_id bigint generated always as identity primary key,
  data_center text not null references credit_rollout_control.data_centers on delete cascade,
  requested_by text not null,
  requested_at timestamptz not null default clock_timestamp(),
  reason text,
  allow_falls boolean not null default false,
  run_id bigint,
  ended_at timestamptz
);
create unique index reconcile_requests_open_idx on credit_rollout_control.reconcile_requests (data_center) where ended_at is null;
-- who accepts falls is who control authenticated, whatever the program says
create function credit_rollout_control.sign_request() returns trigger language plpgsql as $$
begin
  new.requested_by := credit_rollout_control.person();
  return new;
end $$;
create trigger reconcile_requests_signed before insert on credit_rollout_control.reconcile_requests
  for each row execute function credit_rollout_control.sign_request();

alter table credit_rollout_control.rollout add reconcile jsonb;
comment on column credit_rollout_control.rollout.reconcile is 'at and caps of the nights, as the newest scheduler read them';

alter table credit_rollout_control.runs add epoch bigint;
comment on column credit_rollout_control.runs.epoch is 'of a maintenance run; a migration has that of its data center';
-- the maintenance slot; a rollout may run beside it in another data center
create unique index runs_maintenance_slot_idx on credit_rollout_control.runs ((true))
  where state = 'open' and kind in ('reconcile', 'sweep');

alter table credit_rollout_control.data_centers
  add cutover_set_at timestamptz,
  add done_at timestamptz,
  add single_writes boolean not null default false,
  add gate_configured_at timestamptz,
  add gate_effective_at timestamptz,
  add gate_latched_at timestamptz,
  add gate_swept_at timestamptz;
comment on column credit_rollout_control.data_centers.cutover_set_at is 'when the instant was pinned or last moved';
comment on column credit_rollout_control.data_centers.done_at is 'when it was done for the first time: its nights begin then';
comment on column credit_rollout_control.data_centers.single_writes is 'the change feed of its cell is known to be let through';
comment on column credit_rollout_control.data_centers.gate_effective_at is 'the gate of its cell as it was last read; the truth is there';

create table credit_rollout_control.postponements (
  postponement_id bigint generated always as identity primary key,
  data_center text not null references credit_rollout_control.data_centers on delete cascade,
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
  constraint postponements_two_people_check check (approver is null or approver <> author),
  constraint postponements_applied_check check (state <> 'applied' or (approver is not null and decided_at is not null))
);
create unique index postponements_open_idx on credit_rollout_control.postponements (data_center) where state = 'proposed';`,
};
