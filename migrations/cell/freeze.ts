// Why: a freeze must hold by a row of the cell alone, with the queue and control down.
import type { Migration } from '../migration.js';

export const createFreezes: Migration = {
  name: '20261123010000_pre_create_freezes',
  up: `
create table credit_rollout.freezes (
  freeze_id bigint generated always as identity primary key,
  frozen_at timestamptz not null default clock_timestamp(),
  frozen_by text not null default session_user,
  reason text,
  lifted_at timestamptz,
  lifted_by text,
  lift_reason text,
  constraint freezes_lifted_check check ((lifted_at is null) = (lifted_by is null))
);
comment on table credit_rollout.freezes is 'a row that is not lifted: nothing of ours is written in this cell. Set under the exclusive fence lock.';
create unique index freezes_open_idx on credit_rollout.freezes ((true)) where lifted_at is null;`,
};
