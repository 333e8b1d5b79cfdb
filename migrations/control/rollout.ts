// Why: stages, runs and the slot are rows with constraints, so that two schedulers cannot start two data centers. The
// transitions are those of domain/rollout/stage.ts when this was released; a test compares them.
import type { Migration } from '../migration.js';

export const createRollout: Migration = {
  name: '20261122010000_pre_create_rollout',
  up: `
create table credit_rollout_control.rollout (
  only_row boolean primary key default true check (only_row),
  epoch bigint not null default 0,
  card_hash text,
  card_name text,
  created_at timestamptz not null default now(),
  pinned_at timestamptz
);
insert into credit_rollout_control.rollout default values;
comment on column credit_rollout_control.rollout.epoch is 'the counter of epochs: a row, not a sequence, so that it can be set above every cell after a restore';

create table credit_rollout_control.stage_transitions (
  from_stage text not null,
  to_stage text not null,
  reason text not null,
  primary key (from_stage, to_stage)
);
insert into credit_rollout_control.stage_transitions values
  ('pending', 'canary', 'it was asked for, its time has come and the slot is free'),
  ('done', 'canary', 'a new run was asked for'),
  ('failed', 'canary', 'a new run was asked for'),
  ('aborted', 'canary', 'a new run was asked for'),
  ('undone', 'canary', 'a new run was asked for'),
  ('canary', 'migrating', 'the canary is applied and verified'),
  ('canary', 'failed', 'the canary broke a rule'),
  ('canary', 'aborted', 'the operator aborted'),
  ('migrating', 'verifying', 'nothing is pending and the fence is closed'),
  ('migrating', 'failed', 'a rule was broken'),
  ('migrating', 'aborted', 'the operator aborted'),
  ('verifying', 'migrating', 'stale orgs are left, or work was lost in a failover'),
  ('verifying', 'baking', 'every range is verified without a mismatch'),
  ('verifying', 'failed', 'the verification found a mismatch'),
  ('verifying', 'aborted', 'the operator aborted'),
  ('baking', 'done', 'the bake is over'),
  ('baking', 'aborted', 'the operator aborted'),
  ('failed', 'migrating', 'the operator retried; ranges are pending'),
  ('failed', 'verifying', 'the operator retried; only the verification is left'),
  ('failed', 'aborted', 'the operator gave it up'),
  ('done', 'pending', 'the cell is not what was verified: work came back pending'),
  ('baking', 'pending', 'the cell is not what was verified: work came back pending'),
  ('done', 'undoing', 'an undo was asked for'),
  ('aborted', 'undoing', 'an undo was asked for'),
  ('failed', 'undoing', 'an undo was asked for'),
  ('undoing', 'undone', 'every change of the run is undone or listed as a conflict'),
  ('undoing', 'failed', 'a rule was broken');

create table credit_rollout_control.data_centers (
  id text primary key,
  position integer not null,
  zone text not null,
  stage text not null default 'pending' check (stage in ('pending', 'canary', 'migrating', 'verifying', 'baking', 'done', 'failed', 'aborted', 'undoing', 'undone')),
  stage_since timestamptz not null default now(),
  intent text not null default 'run' check (intent in ('run', 'pause', 'abort')),
  quiet boolean not null default true,
  requested_at timestamptz,
  requested_by text,
  request_reason text,
  run_id bigint,
  epoch bigint,
  not_before_at timestamptz,
  not_before_local text,
  cutover_at timestamptz,
  cutover_local text,
  verified_at timestamptz,
  bake_until timestamptz,
  failure text,
  plan jsonb,
  version integer not null default 1
);
comment on column credit_rollout_control.data_centers.quiet is 'the fence of its cell is known to be closed';
comment on column credit_rollout_control.data_centers.plan is 'settings of the requested or current run: batch size, lanes, bake, windows, card';
-- the rollout slot: held or paused included, baking not
create unique index data_centers_rollout_slot_idx on credit_rollout_control.data_centers ((true))
  where stage in ('canary', 'migrating', 'verifying', 'undoing');

create function credit_rollout_control.check_transition() returns trigger language plpgsql as $$
begin
  if new.stage <> old.stage then
    if not exists (select from credit_rollout_control.stage_transitions t where t.from_stage = old.stage and t.to_stage = new.stage) then
      raise exception 'no transition from % to %', old.stage, new.stage using errcode = 'restrict_violation';
    end if;
    new.stage_since := clock_timestamp();
  end if;
  new.version := old.version + 1;
  return new;
end $$;
create trigger data_centers_check_transition before update on credit_rollout_control.data_centers
  for each row execute function credit_rollout_control.check_transition();`,
};

/** Why: holds have the same `since` in all ticks and schedulers; runs and audit outlive every process. */
export const createRecords: Migration = {
  name: '20261122010100_pre_create_records',
  up: `
create table credit_rollout_control.holds (
  data_center text not null references credit_rollout_control.data_centers on delete cascade,
  code text not null,
  since timestamptz not null default clock_timestamp(),
  value text,
  limit_value text,
  release text not null,
  needs_person boolean not null,
  position integer not null,
  primary key (data_center, code)
);

create table credit_rollout_control.runs (
  run_id bigint primary key,
  data_center text not null references credit_rollout_control.data_centers on delete cascade,
  kind text not null check (kind in ('migrate', 'reconcile', 'undo', 'sweep')),
  state text not null default 'open' check (state in ('open', 'done', 'failed', 'aborted')),
  card_hash text not null,
  requested_by text,
  reason text,
  opened_at timestamptz not null default now(),
  ended_at timestamptz,
  counts jsonb,
  constraint runs_ended_check check ((state = 'open') = (ended_at is null))
);
create unique index runs_open_idx on credit_rollout_control.runs (data_center) where state = 'open';

create table credit_rollout_control.audit (
  seq bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  data_center text,
  run_id bigint,
  epoch bigint,
  reason text,
  details jsonb not null default '{}'
);
create function credit_rollout_control.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger audit_append_only before update or delete or truncate on credit_rollout_control.audit
  for each statement execute function credit_rollout_control.refuse_change();

create table credit_rollout_control.schedulers (
  scheduler_id text primary key,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);`,
};
