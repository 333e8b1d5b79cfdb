// Why: one row in the cell must be enough to stop work, also while the queue and control are down.
import type { Migration } from '../migration.js';

export const createFreezes: Migration = {
  name: '20261123010000_pre_create_freezes',
  up: `
create table credit_rollout.freezes (
  freeze_id bigint generated always as identity primary key,
  frozen_at timestamptz not null default clock_timestamp(),
  frozen_by text not null default session_user,
  reason text,
  acknowledged_at timestamptz,
  lifted_at timestamptz,
  lifted_by text,
  lift_reason text,
  constraint freezes_lifted_check check ((lifted_at is null) = (lifted_by is null))
);
comment on table credit_rollout.freezes is
  'a row that is not lifted: no batch, no write of the change feed and no repair begins in this cell. Sign-ups go on.';
comment on column credit_rollout.freezes.acknowledged_at is
  'the fence was held exclusively after the row was there: from then on nothing that began before it commits';
create unique index freezes_open_idx on credit_rollout.freezes ((true)) where lifted_at is null;

create function credit_rollout.keep_freeze() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or old.lifted_at is not null
     or (new.freeze_id, new.frozen_at, new.frozen_by, new.reason)
       is distinct from (old.freeze_id, old.frozen_at, old.frozen_by, old.reason)
     or old.acknowledged_at is not null and new.acknowledged_at is distinct from old.acknowledged_at then
    raise exception 'a freeze is acknowledged once and lifted once, and never changed' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger freezes_kept before update or delete on credit_rollout.freezes
  for each row execute function credit_rollout.keep_freeze();
create trigger freezes_refuse_truncate before truncate on credit_rollout.freezes
  for each statement execute function credit_rollout.refuse_change();

-- A scheduler that decided before the freeze must not open what the freeze has shut.
create function credit_rollout.refuse_while_frozen() returns trigger language plpgsql as $$
begin
  if exists (select from credit_rollout.freezes where lifted_at is null) then
    raise exception 'the cell is frozen' using errcode = 'object_not_in_prerequisite_state', table = 'freezes';
  end if;
  return new;
end $$;
create trigger fence_stays_frozen before update on credit_rollout.fence for each row
  when (new.single_writes and not old.single_writes
    or new.state <> 'closed' and (new.state, new.epoch) is distinct from (old.state, old.epoch))
  execute function credit_rollout.refuse_while_frozen();`,
};
