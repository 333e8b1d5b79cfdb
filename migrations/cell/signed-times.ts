// Why: when a batch was verified decides how long the canary has been waited for, and what somebody may do in a cell is
// more than the roles of that cell.
import { recordLoginSql } from '../login-powers.js';
import type { Migration } from '../migration.js';

/** Why: a worker dated its verification back; a scheduler passed a canary that was not verified, or did not wait. */
export const checkCanaryPass: Migration = {
  name: '20261130050400_pre_check_canary_pass',
  up: `
create function credit_rollout.sign_batch() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  if new.verified_at is distinct from old.verified_at and new.verified_at is not null then
    new.verified_at := clock_timestamp();
  end if;
  if new.done_at is distinct from old.done_at and new.done_at is not null then
    new.done_at := clock_timestamp();
  end if;
  return new;
end $$;
create trigger batches_signed before update on credit_rollout.batches for each row
  when ((new.verified_at, new.done_at) is distinct from (old.verified_at, old.done_at))
  execute function credit_rollout.sign_batch();

-- The wait is sealed with the run; a control of an earlier version seals none.
create function credit_rollout.check_canary_pass() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  verified timestamptz; open_batches bigint; wait_ms numeric;
begin
  if tg_relid <> 'credit_rollout.runs'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  if old.canary_passed_at is not null then
    raise exception 'a canary passes once' using errcode = 'restrict_violation';
  end if;
  select max(b.verified_at), count(*) filter (where b.state <> 'done' or b.verified_at is null or b.mismatches > 0)
    into verified, open_batches
    from credit_rollout.batches b where b.run_id = new.run_id and b.kind = 'canary';
  wait_ms := coalesce((select (u.document ->> 'canary_wait_ms')::numeric from credit_rollout.used_seals u
    where u.document ->> 'kind' = 'run' and (u.document ->> 'run_id')::bigint = new.run_id
    order by u.used_at desc limit 1), 0);
  if open_batches > 0 or verified + make_interval(secs => wait_ms / 1000.0) > clock_timestamp() then
    raise exception 'the canary is not verified, or is still waited for'
      using errcode = 'restrict_violation', constraint = 'canary_not_passed';
  end if;
  new.canary_passed_at := clock_timestamp();
  return new;
end $$;
create trigger runs_check_canary before update on credit_rollout.runs for each row
  when (new.canary_passed_at is distinct from old.canary_passed_at)
  execute function credit_rollout.check_canary_pass();
revoke all on function credit_rollout.sign_batch, credit_rollout.check_canary_pass from public;`,
};

const PREFIX = `(select 'credit_rollout_' || replace(x.data_center, '-', '_') || '_' from credit_rollout.cell x)`;

/** Why: a worker's login that could also approve in control, or write in another cell, was told to have no more. */
export const recordAllPowers: Migration = {
  name: '20261130050500_pre_record_all_powers',
  up: `
create or replace function credit_rollout.record_worker_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin${recordLoginSql({ allowed: '_(worker|planner)$', prefix: PREFIX })}
end $$;
create or replace function credit_rollout.record_scheduler_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin${recordLoginSql(
    { allowed: '_(fencer|reader)$|^credit_rollout_control_scheduler$', prefix: PREFIX },
    'new.seen_at := clock_timestamp();',
  )}
end $$;
comment on column credit_rollout.workers.powers is
  'what the login may do beyond a worker: superuser, createrole, owner, or other roles of this server';
comment on column credit_rollout.schedulers.powers is
  'what the login may do beyond a scheduler: superuser, createrole, owner, or other roles of this server';`,
};
