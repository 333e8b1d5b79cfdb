// Why: the fence, the run and its batches are in the same database as the data, so that claim, write and checkpoint are one
// transaction.
import type { Migration } from '../migration.js';

export const createFence: Migration = {
  name: '20261122030000_pre_create_fence',
  up: `
create table credit_rollout.fence (
  only_row boolean primary key default true check (only_row),
  state text not null default 'closed' check (state in ('open', 'verifying', 'closed')),
  epoch bigint not null default 0,
  run_id bigint,
  timeline text,
  single_writes boolean not null default false,
  failure text,
  changed_at timestamptz not null default now(),
  constraint fence_open_check check (state = 'closed' or (run_id is not null and timeline is not null))
);
insert into credit_rollout.fence default values;
comment on table credit_rollout.fence is
  'open: batches may commit; verifying: none may, verification may record; closed: nothing. Only ever changed under the exclusive advisory lock.';

create function credit_rollout.keep_epoch_growing() returns trigger language plpgsql as $$
begin
  if new.epoch < old.epoch then
    raise exception 'an epoch never goes back' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger fence_epoch_grows before update on credit_rollout.fence
  for each row execute function credit_rollout.keep_epoch_growing();

create table credit_rollout.gate (
  only_row boolean primary key default true check (only_row),
  configured_at timestamptz,
  configured_local text,
  armed_at timestamptz,
  effective_at timestamptz,
  latched_at timestamptz,
  swept_at timestamptz
);
insert into credit_rollout.gate default values;
create table credit_rollout.sign_ups (
  org_id credit_rollout.org_id primary key,
  model text not null check (model in ('credits', 'legacy')),
  decided_at timestamptz not null
);

create table credit_rollout.workers (
  worker_id text primary key,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  trouble text
);
comment on column credit_rollout.workers.trouble is 'code of the last failed attempt; null after a success';`,
};

export const createRuns: Migration = {
  name: '20261122030100_pre_create_runs',
  up: `
create table credit_rollout.runs (
  run_id bigint primary key,
  kind text not null check (kind in ('migrate', 'reconcile', 'undo', 'sweep')),
  state text not null default 'open' check (state in ('open', 'done', 'failed', 'aborted')),
  card_hash text not null references credit_rollout.rate_cards,
  batch_size integer not null check (batch_size between 1 and 1000000),
  lanes integer not null check (lanes between 1 and 256),
  opened_at timestamptz not null default clock_timestamp(),
  cut_at timestamptz,
  ended_at timestamptz,
  constraint runs_ended_check check ((state = 'open') = (ended_at is null))
);

create table credit_rollout.batches (
  run_id bigint not null references credit_rollout.runs,
  batch_no integer not null,
  lower_id credit_rollout.org_id,
  upper_id credit_rollout.org_id,
  expected integer,
  state text not null default 'pending' check (state in ('uncut', 'pending', 'done')),
  epoch bigint,
  timeline text,
  orgs integer, inserted integer, raised integer, unchanged integer, stale integer, quarantined integer, falls integer,
  total_credits numeric,
  duration_ms integer,
  done_at timestamptz,
  verified_at timestamptz,
  checked integer, mismatches integer, changed_since integer, appeared integer,
  legacy_wins integer,
  before_credits numeric, after_credits numeric, floors numeric,
  primary key (run_id, batch_no),
  constraint batches_done_check check ((state = 'done') = (done_at is not null)),
  constraint batches_counts_check check (state <> 'done' or orgs = inserted + raised + unchanged + stale + quarantined)
);
comment on column credit_rollout.batches.lower_id is 'inclusive; null: open at the bottom';
comment on column credit_rollout.batches.total_credits is 'sum over the rows that the batch wrote; those after verified_at are over all allotments of the range';
comment on column credit_rollout.batches.upper_id is 'exclusive; null: open at the top';
-- claimBatch
create index batches_pending_idx on credit_rollout.batches (run_id, batch_no) where state = 'pending';
-- claimVerification
create index batches_unverified_idx on credit_rollout.batches (run_id, batch_no) where state = 'done' and verified_at is null;

create table credit_rollout.quarantine (
  run_id bigint not null references credit_rollout.runs,
  org_id credit_rollout.org_id not null,
  reason text not null,
  inputs jsonb not null,
  recorded_at timestamptz not null default now(),
  primary key (run_id, org_id)
);`,
};
