// Why: what an operator may write must neither stop other people's work nor change what was recorded.
import { type Migration, macSql } from '../migration.js';

/** Why: a request with settings that no run can have stopped every later night of its data center. */
export const checkRequests: Migration = {
  name: '20261130033100_pre_check_requests',
  up: `
-- The limits are those of a configuration.
create function credit_rollout_control.check_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  size text := new.plan ->> 'batchSize'; lanes text := new.plan ->> 'lanes'; card text := new.plan ->> 'cardHash';
begin
  if jsonb_typeof(new.plan) is distinct from 'object' or octet_length(new.plan::text) > 100000
     or size is null or size !~ '^[0-9]{1,6}$' or size::integer not between 1 and 100000
     or lanes is null or lanes !~ '^[0-9]{1,2}$' or lanes::integer not between 1 and 32
     or card is null or length(card) > 64 then
    raise exception 'no run can have these settings' using errcode = 'check_violation',
      constraint = 'data_centers_request_check';
  end if;
  return new;
end $$;
create trigger data_centers_check_request before update on credit_rollout_control.data_centers for each row
  when (new.plan is distinct from old.plan and new.plan is not null)
  execute function credit_rollout_control.check_request();

-- A reason belongs to the request that it was given with.
create function credit_rollout_control.keep_request_reason() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'the reason of a request does not change' using errcode = 'restrict_violation';
end $$;
create trigger data_centers_keep_reason before update on credit_rollout_control.data_centers for each row
  when (new.request_reason is distinct from old.request_reason
    and new.requested_at is not distinct from old.requested_at)
  execute function credit_rollout_control.keep_request_reason();

-- When a run ended, and what it counted, is written once.
create function credit_rollout_control.sign_run_end() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  if old.state = 'open' and new.state <> 'open' then
    new.ended_at := clock_timestamp();
  elsif old.state <> 'open' and new.state = old.state then
    raise exception 'a run that has ended does not change' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger runs_sign_end before update on credit_rollout_control.runs for each row
  when ((new.state, new.ended_at, new.counts) is distinct from (old.state, old.ended_at, old.counts))
  execute function credit_rollout_control.sign_run_end();

-- A leap is for a control database that was restored. Once in a transaction, so that nobody gets far ahead of the
-- fences, which follow by no more than a trillion at once.
create function credit_rollout_control.check_epoch_leap() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.is_committed((select r.xmin from credit_rollout_control.rollout r)) then
    raise exception 'an epoch leaps once in a transaction' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger rollout_check_leap before update on credit_rollout_control.rollout for each row
  when (new.epoch > old.epoch + 1)
  execute function credit_rollout_control.check_epoch_leap();

revoke all on function credit_rollout_control.check_request, credit_rollout_control.keep_request_reason,
  credit_rollout_control.sign_run_end, credit_rollout_control.check_epoch_leap from public;`,
};

/**
 * Why: an operator kept the seal of an instant, had it postponed by two people, and armed the old instant in a cell
 * that had not heard of the new one. Null: none is pinned, or the data center is not done and its cut-over not armed.
 * What is not committed is sealed only for who approves its move in this transaction.
 */
export const sealDoneCutovers: Migration = {
  name: '20261130033200_pre_seal_done_cutovers',
  up: `
-- The document with what it is for, until when it is valid, and its HMAC. Never granted: it seals whatever it is given.
create function credit_rollout_control.seal_for(dc text, action text, content jsonb, valid interval) returns jsonb
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  document jsonb := content || jsonb_build_object('data_center', dc, 'kind', action,
    'expires_at', clock_timestamp() + valid);
  sealed jsonb;
begin
  select document || jsonb_build_object('mac', ${macSql('document')})
    into sealed from credit_rollout_control.seal_keys k where k.data_center = dc;
  if not found then
    raise exception 'data center % has no key for seals: run init', dc
      using errcode = 'object_not_in_prerequisite_state', constraint = 'seal_key_missing';
  end if;
  return sealed;
end $$;

create or replace function credit_rollout_control.seal(dc text, action text, content jsonb) returns jsonb
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return credit_rollout_control.seal_for(dc, action, content, interval '1 hour');
end $$;

create or replace function credit_rollout_control.seal_cutover(dc text) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal_for(d.id, 'cutover', jsonb_build_object(
    'at', d.cutover_at, 'local', d.cutover_local, 'set_at', d.cutover_set_at), interval '2 minutes')
  from credit_rollout_control.data_centers d
  where d.id = dc and d.cutover_at is not null and (
    (d.stage = 'done' or d.gate_effective_at is not null) and credit_rollout_control.is_committed(d.xmin)
    or exists (
      select from credit_rollout_control.postponements p
      where p.data_center = d.id and p.state = 'applied' and p.to_at = d.cutover_at
        and p.decided_at = d.cutover_set_at and not credit_rollout_control.is_committed(p.xmin)))
$$;
revoke all on function credit_rollout_control.seal_for from public;`,
};
