// Why: what a trigger of control asks was answered as its transaction began, where that is at repeatable read: an
// approver who was dismissed since still decided, and a policy that two people had replaced still let a plan through.
// A seal, too, says what is true now: it is volatile, or a cursor would go on giving what was true once.
import { type Migration, macSql } from '../migration.js';
import { requireReadCommittedSql } from '../read-committed.js';

export const readControlFresh: Migration = {
  name: '20261130050000_pre_read_control_fresh',
  up: `
${requireReadCommittedSql('credit_rollout_control')}
do $$
declare
  found_table text;
begin
  for found_table in select c.relname from pg_class c
      where c.relnamespace = 'credit_rollout_control'::regnamespace and c.relkind = 'r'
        and c.relname !~ 'migrations' loop
    execute format('create trigger %I before insert or update or delete on credit_rollout_control.%I '
      'for each statement execute function credit_rollout_control.require_read_committed()',
      found_table || '_read_committed', found_table);
  end loop;
end $$;

create or replace function credit_rollout_control.seal_for(dc text, action text, content jsonb, valid interval)
  returns jsonb language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  document jsonb := content || jsonb_build_object('data_center', dc, 'kind', action,
    'expires_at', clock_timestamp() + valid);
  sealed jsonb;
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'a seal says what is true now: it is made at read committed'
      using errcode = 'object_not_in_prerequisite_state', constraint = 'written_at_read_committed';
  end if;
  if exists (select from credit_rollout_control.data_centers d where d.id = dc and d.removed_at is not null) then
    raise exception 'data center % was taken out', dc
      using errcode = 'object_not_in_prerequisite_state', constraint = 'data_centers_removed_check';
  end if;
  select document || jsonb_build_object('mac', ${macSql('document')})
    into sealed from credit_rollout_control.seal_keys k where k.data_center = dc;
  if not found then
    raise exception 'data center % has no key for seals: run init', dc
      using errcode = 'object_not_in_prerequisite_state', constraint = 'seal_key_missing';
  end if;
  return sealed;
end $$;`,
};

/**
 * Why: a million subtransactions made a row of this transaction look like one of long ago. Numbers are a circle: what
 * is ahead by less than half of it is newer. Who has no number has written nothing.
 */
export const tellOwnRowsApart: Migration = {
  name: '20261130050100_pre_tell_own_rows_apart',
  up: `
create or replace function credit_rollout_control.is_committed(written xid) returns boolean language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  newest numeric := pg_snapshot_xmax(pg_current_snapshot())::text::numeric;
  wrap constant numeric := 4294967296;
  full_id numeric := newest - newest % wrap + written::text::numeric;
begin
  if pg_current_xact_id_if_assigned() is null then return true; end if;
  if full_id > newest + wrap / 2 then full_id := full_id - wrap; end if;
  if full_id < newest - wrap / 2 then full_id := full_id + wrap; end if;
  -- so old that its outcome is no longer kept: it has committed, or nobody would see it
  return full_id < 3 or coalesce(pg_xact_status(full_id::text::xid8) = 'committed', true);
exception when invalid_parameter_value then
  return false;
end $$;`,
};

/** Why: at read committed too, a plan could start in the moment in which two people changed what lets it through. */
export const orderPolicy: Migration = {
  name: '20261130050200_pre_order_policy',
  up: `
-- Starts share this lock, and a change of the policy has it alone.
create function credit_rollout_control.order_policy() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_argv[0] = 'change' then
    perform pg_advisory_xact_lock(1129467728, 1);
    return null;
  end if;
  perform pg_advisory_xact_lock_shared(1129467728, 1);
  return new;
end $$;
create trigger policy_a_order before update on credit_rollout_control.policy
  for each statement execute function credit_rollout_control.order_policy('change');
-- before the triggers that ask the policy: they fire in the order of their names
create trigger data_centers_a_order_policy before update on credit_rollout_control.data_centers for each row
  when (new.stage = 'canary' and old.stage is distinct from 'canary')
  execute function credit_rollout_control.order_policy('start');
create trigger approvals_a_order_policy before insert on credit_rollout_control.approvals for each row
  when (new.kind = 'guard_rails') execute function credit_rollout_control.order_policy('start');

-- A leap is for a control database that was restored: a scheduler makes it, and anybody else once an hour.
alter table credit_rollout_control.rollout add leapt_at timestamptz;
comment on column credit_rollout_control.rollout.leapt_at is
  'when somebody who is no scheduler last moved the epoch on by more than one';
create or replace function credit_rollout_control.check_epoch_leap() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.is_committed((select r.xmin from credit_rollout_control.rollout r)) then
    raise exception 'an epoch leaps once in a transaction' using errcode = 'restrict_violation';
  end if;
  if not credit_rollout_control.has_role('scheduler') then
    if old.leapt_at > clock_timestamp() - interval '1 hour' or new.epoch > old.epoch + 1000000 then
      raise exception 'an epoch leaps once an hour, and not far' using errcode = 'restrict_violation';
    end if;
    new.leapt_at := clock_timestamp();
  end if;
  return new;
end $$;

-- Where control followed a fence that is a trillion ahead, the fences of the others could not: each follows by as much.
create or replace function credit_rollout_control.check_rollout() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if old.pinned_at is not null and (new.pinned_at, new.card_hash, new.card_name)
     is distinct from (old.pinned_at, old.card_hash, old.card_name) then
    raise exception 'the first apply has pinned the card' using errcode = 'restrict_violation';
  end if;
  if new.epoch > old.epoch + 1000000000 then
    raise exception 'an epoch grows in small steps' using errcode = 'restrict_violation';
  end if;
  if old.pinned_at is null then
    new.pinned_at := case when new.pinned_at is not null then clock_timestamp() end;
  end if;
  return new;
end $$;
revoke all on function credit_rollout_control.order_policy from public;`,
};
