// Why: a plan needs a second person or its guard-rails, and only the database can enforce that for everybody. Plans stay as
// long as they can be applied, approvals for ever. Counts only: no org, no key bound.
import type { Migration } from '../migration.js';

/** Old code neither reads nor writes any of this. */
export const createControlPlans: Migration = {
  name: '20261122040000_pre_create_plans',
  up: `
alter table credit_rollout_control.rollout add embedded boolean not null default false;
comment on column credit_rollout_control.rollout.embedded is
  'everybody shares one login: a person is the user of the machine, as the process says. Set by init.';

-- Who acts: what this database authenticated. The process is believed only where the row above says so.
create function credit_rollout_control.person() returns text language sql stable as $$
  select case when r.embedded
    then coalesce(nullif(current_setting('credit_rollout_control.person', true), ''), session_user::text)
    else session_user::text end
  from credit_rollout_control.rollout r
$$;

create table credit_rollout_control.plans (
  plan_id text primary key,
  data_center text not null references credit_rollout_control.data_centers on delete cascade,
  digest text not null check (digest ~ '^[0-9a-f]{64}$'),
  card_hash text not null,
  author text not null check (author <> ''),
  snapshot_at timestamptz not null,
  registered_at timestamptz not null default clock_timestamp(),
  counts jsonb not null,
  rails jsonb not null,
  inside_rails boolean not null generated always as (jsonb_path_query_array(rails, '$[*].passes') <@ '[true]') stored,
  constraint plans_plan_id_check check (plan_id ~ ('^' || data_center || '-[1-9][0-9]*$')),
  constraint plans_rails_check check (
    jsonb_array_length(rails) = jsonb_array_length(jsonb_path_query_array(rails, '$[*].passes')))
);
comment on table credit_rollout_control.plans is 'append-only; rows are deleted when rollout.planRetention is over';
create trigger plans_append_only before update or truncate on credit_rollout_control.plans
  for each statement execute function credit_rollout_control.refuse_change();`,
};

/** Why: an approval names a digest, lasts 72 hours and is used once. The database fills in who gave it. */
export const createApprovals: Migration = {
  name: '20261122040100_pre_create_approvals',
  up: `
create table credit_rollout_control.approvals (
  approval_id bigint generated always as identity primary key,
  plan_id text not null,
  digest text not null,
  data_center text not null,
  kind text not null check (kind in ('person', 'guard_rails')),
  author text not null,
  approver text,
  reason text,
  approved_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  used_by_run bigint,
  voided_at timestamptz,
  void_reason text,
  constraint approvals_two_people_check check (
    case kind when 'person' then approver is not null and approver <> author else approver is null end),
  constraint approvals_used_check check ((used_at is null) = (used_by_run is null)),
  constraint approvals_in_time_check check (used_at is null or used_at < expires_at),
  constraint approvals_voided_check check ((voided_at is null) = (void_reason is null)),
  constraint approvals_one_end_check check (used_at is null or voided_at is null)
);
-- no foreign key: approvals outlive their plans
create index approvals_plan_id_idx on credit_rollout_control.approvals (plan_id);
-- at most one approval of a data center can be used; expired ones are voided when the next is given
create unique index approvals_open_idx on credit_rollout_control.approvals (data_center)
  where used_at is null and voided_at is null;

create function credit_rollout_control.bind_approval() returns trigger language plpgsql as $$
declare
  approved credit_rollout_control.plans;
begin
  select * into approved from credit_rollout_control.plans where plan_id = new.plan_id;
  if not found then
    raise exception 'plan % is not registered', new.plan_id
      using errcode = 'foreign_key_violation', constraint = 'approvals_plan_id_fkey';
  end if;
  if new.kind = 'guard_rails' and not approved.inside_rails then
    raise exception 'plan % is outside the guard-rails', new.plan_id
      using errcode = 'check_violation', constraint = 'approvals_inside_rails_check';
  end if;
  new.digest := approved.digest;
  new.data_center := approved.data_center;
  new.author := approved.author;
  new.approver := case new.kind when 'person' then credit_rollout_control.person() end;
  new.approved_at := clock_timestamp();
  new.expires_at := new.approved_at + interval '72 hours';
  return new;
end $$;
create trigger approvals_bind before insert on credit_rollout_control.approvals
  for each row execute function credit_rollout_control.bind_approval();

create function credit_rollout_control.keep_approval() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE'
     or (new.approval_id, new.plan_id, new.digest, new.data_center, new.kind, new.author, new.approver, new.reason,
         new.approved_at, new.expires_at) is distinct from
        (old.approval_id, old.plan_id, old.digest, old.data_center, old.kind, old.author, old.approver, old.reason,
         old.approved_at, old.expires_at)
     or old.used_at is not null and (new.used_at, new.used_by_run) is distinct from (old.used_at, old.used_by_run)
     or old.voided_at is not null and (new.voided_at, new.void_reason) is distinct from (old.voided_at, old.void_reason) then
    raise exception 'an approval is used or voided once, and never changed' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger approvals_kept before update or delete on credit_rollout_control.approvals
  for each row execute function credit_rollout_control.keep_approval();
create trigger approvals_refuse_truncate before truncate on credit_rollout_control.approvals
  for each statement execute function credit_rollout_control.refuse_change();`,
};
