// Why: what a night found and what it did about it lies beside the orgs; control gets counts.
import type { Migration } from '../migration.js';

export const createDrift: Migration = {
  name: '20261123020000_pre_create_drift',
  up: `
create table credit_rollout.drift (
  run_id bigint not null references credit_rollout.runs,
  org_id credit_rollout.org_id not null,
  cause text not null check (cause in ('late input', 'legacy sign-up', 'missed sign-up', 'manual edit', 'purchase', 'seats',
    'edition', 'paid', 'lapse', 'return', 'release', 'gone', 'restored backup')),
  movement text not null check (movement in ('first', 'raise', 'fall', 'inputs', 'gone')),
  before_total bigint,
  after_total bigint,
  before_floor bigint,
  after_floor bigint,
  proposed_floor bigint,
  outcome text not null check (outcome in ('to_heal', 'healed', 'proposed', 'unchanged')),
  found_at timestamptz not null default clock_timestamp(),
  primary key (run_id, org_id)
);
comment on table credit_rollout.drift is 'orgs whose allotment was not what their inputs give, by run; proposed: left for a person';
create index drift_outcome_idx on credit_rollout.drift (run_id, outcome);

alter table credit_rollout.batches drop constraint batches_kind_check, drop constraint batches_org_ids_check;
alter table credit_rollout.batches
  add cause text,
  add constraint batches_kind_check check (kind in ('range', 'canary', 'follow_up', 'repair')),
  add constraint batches_org_ids_check check ((org_ids is null) = (kind = 'range')),
  add constraint batches_cause_check check ((cause is not null) = (kind = 'repair'));
comment on column credit_rollout.batches.cause is 'why the orgs of a repair are written: the cause of their before-images';

alter table credit_rollout.runs
  add pass integer not null default 1,
  add allow_falls boolean not null default false,
  add max_changed integer,
  add max_lapsed integer;
comment on column credit_rollout.runs.allow_falls is 'a person accepted the falls beyond the caps';
comment on column credit_rollout.runs.pass is 'a sweep looks again until a pass finds nothing';`,
};
