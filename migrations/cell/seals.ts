// Why: what needs two people is proven to the cell by a seal of control: no login of the cell can do it alone, and no
// copy of control can do it twice.
import { type Migration, macSql } from '../migration.js';

/** Why: a seal is checked by the owner's functions, with a key that no role reads, by the cell's own clock. */
export const createCellSeals: Migration = {
  name: '20261129030000_pre_create_seals',
  up: `
create table credit_rollout.seal_key (
  only_row boolean primary key default true check (only_row),
  inner_pad bytea not null check (length(inner_pad) = 64),
  outer_pad bytea not null check (length(outer_pad) = 64),
  made_at timestamptz not null default clock_timestamp()
);
comment on table credit_rollout.seal_key is
  'the key that this cell shares with control: the two pads of HMAC-SHA256. Only the owner reads it; dumps have it.';

create table credit_rollout.used_seals (
  mac text primary key,
  document jsonb not null,
  used_at timestamptz not null default clock_timestamp()
);
comment on table credit_rollout.used_seals is 'what control sealed and this cell has done: approvals of runs, overrides, reversals';
create trigger used_seals_append_only before update or delete or truncate on credit_rollout.used_seals
  for each statement execute function credit_rollout.refuse_change();

-- Shows whether control has the same key, and nothing of it.
create function credit_rollout.seal_key_fingerprint() returns text language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select left(encode(sha256('fingerprint'::bytea || k.outer_pad || k.inner_pad), 'hex'), 16)
  from credit_rollout.seal_key k
$$;

-- Raises unless control sealed this document for this data center and this kind of action, and it is still valid.
create function credit_rollout.check_seal(document jsonb, action text) returns void language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  expected text;
begin
  if jsonb_typeof(document) is distinct from 'object' then
    raise exception 'no seal was given' using errcode = 'restrict_violation', constraint = 'seal_wrong';
  end if;
  select ${macSql("(document - 'mac')")}
    into expected from credit_rollout.seal_key k;
  if not found then
    raise exception 'this cell has no key for seals: run init'
      using errcode = 'object_not_in_prerequisite_state', constraint = 'seal_key_missing';
  end if;
  if document ->> 'mac' is distinct from expected or document ->> 'kind' is distinct from action
     or document ->> 'data_center' is distinct from (select c.data_center from credit_rollout.cell c) then
    raise exception 'control did not seal this for this data center'
      using errcode = 'restrict_violation', constraint = 'seal_wrong';
  end if;
  if (document ->> 'expires_at')::timestamptz <= clock_timestamp() then
    raise exception 'the seal has expired' using errcode = 'restrict_violation', constraint = 'seal_expired';
  end if;
end $$;

create function credit_rollout.record_seal(document jsonb) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  insert into credit_rollout.used_seals (mac, document) values (document ->> 'mac', document - 'mac');
exception when unique_violation then
  raise exception 'the seal was used before' using errcode = 'restrict_violation', constraint = 'seal_used';
end $$;`,
};

/** Why: whoever opens fences must not choose which plan, card and limits a run has. */
export const sealRuns: Migration = {
  name: '20261129030100_pre_seal_runs',
  up: `
-- Opens the run that control sealed, with the batches of its plan, and activates its card; opens it again when it had
-- failed. Idempotent. False, and nothing is written: this cell has neither the run nor the plan.
create function credit_rollout.open_run(document jsonb) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  run bigint; plan bigint;
  followed credit_rollout.plans;
begin
  perform credit_rollout.check_seal(document, 'run');
  run := (document ->> 'run_id')::bigint;
  plan := (document ->> 'plan_id')::bigint;
  if exists (select from credit_rollout.runs r where r.run_id = run and r.plan_id is distinct from plan)
     or exists (select from credit_rollout.runs r where r.plan_id = plan and r.run_id <> run) then
    raise exception 'another run followed this plan' using errcode = 'restrict_violation', constraint = 'seal_used';
  end if;
  if not exists (select from credit_rollout.runs r where r.run_id = run) then
    select * into followed from credit_rollout.plans p where p.plan_id = plan;
    if not found then return false; end if;
    if followed.card_hash is distinct from document ->> 'card_hash'
       or followed.digest is distinct from document ->> 'digest'
       or followed.digest is distinct from
         credit_rollout.digest_plan(plan, followed.card_hash, followed.source_signature)
       or followed.ranges <> (select count(*) from credit_rollout.plan_ranges g where g.plan_id = plan) then
      raise exception 'the plan is not the one that was approved'
        using errcode = 'restrict_violation', constraint = 'plan_edited';
    end if;
    perform credit_rollout.record_seal(document);
    insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes, plan_id, rails)
      values (run, 'migrate', followed.card_hash, (document ->> 'batch_size')::integer,
        (document ->> 'lanes')::integer, plan, document -> 'rails');
  end if;
  if exists (select from credit_rollout.runs r where r.run_id = run
      and r.card_hash is distinct from document ->> 'card_hash') then
    raise exception 'the run has another card' using errcode = 'restrict_violation', constraint = 'plan_edited';
  end if;
  perform credit_rollout.adopt_plan(run);
  update credit_rollout.runs set state = 'open', ended_at = null where run_id = run and state = 'failed';
  update credit_rollout.cell c set active_card = r.card_hash
    from credit_rollout.runs r where r.run_id = run and c.active_card is distinct from r.card_hash;
  return true;
end $$;

-- Opens a night or a sweep with the limits that control sealed. Idempotent.
create function credit_rollout.open_maintenance(document jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform credit_rollout.check_seal(document, 'maintenance');
  insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes, max_changed, max_lapsed, allow_falls)
    select (document ->> 'run_id')::bigint, document ->> 'of', c.active_card,
      coalesce((document ->> 'batch_size')::integer, 10000), coalesce((document ->> 'lanes')::integer, 1),
      (document ->> 'max_changed')::integer, (document ->> 'max_lapsed')::integer,
      (document ->> 'allow_falls')::boolean
    from credit_rollout.cell c
    on conflict do nothing;
end $$;

-- One approval, one run: also where two sessions open two at once. Where an earlier version ran a plan twice, open_run
-- alone watches over it.
do $$ begin
  create unique index runs_plan_id_idx on credit_rollout.runs (plan_id) where plan_id is not null;
exception when unique_violation then null;
end $$;

-- A run that has ended is opened again by open_run alone.
create function credit_rollout.check_run_opens() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  raise exception 'a run is opened with the seal of control' using errcode = 'restrict_violation',
    constraint = 'seal_wrong';
end $$;
create trigger runs_opened_sealed before update on credit_rollout.runs for each row
  when (new.state = 'open' and old.state <> 'open')
  execute function credit_rollout.check_run_opens();

-- Batches are completed and verified while their run is open, by workers. Everybody else may only ask for another
-- verification.
create function credit_rollout.check_batch_write() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  if (new.verified_at, new.checked, new.mismatches, new.changed_since, new.appeared) is not distinct from
       (null::timestamptz, null::integer, null::integer, null::integer, null::integer)
     and (to_jsonb(new) - '{verified_at,checked,mismatches,changed_since,appeared}'::text[])
       = (to_jsonb(old) - '{verified_at,checked,mismatches,changed_since,appeared}'::text[]) then
    return new;
  end if;
  if not has_column_privilege(tg_relid, 'state', 'update')
     or not exists (select from credit_rollout.runs r where r.run_id = old.run_id and r.state = 'open') then
    raise exception 'batches are written while their run is open, by workers' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger batches_check_write before update on credit_rollout.batches
  for each row execute function credit_rollout.check_batch_write();

-- An epoch that leaps would use up those that are left.
create function credit_rollout.check_epoch_step() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'an epoch makes no leap' using errcode = 'restrict_violation';
end $$;
create trigger fence_epoch_steps before update on credit_rollout.fence for each row
  when (new.epoch > old.epoch + 1000000)
  execute function credit_rollout.check_epoch_step();

-- A plan is whole once its own row is there: nothing is added to it afterwards.
create function credit_rollout.keep_plan_whole() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from (select distinct a.plan_id from added a) n join credit_rollout.plans p using (plan_id)) then
    raise exception 'the plan is finished' using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
create trigger plan_ranges_end_with_plan after insert on credit_rollout.plan_ranges
  referencing new table as added for each statement execute function credit_rollout.keep_plan_whole();
create trigger plan_groups_end_with_plan after insert on credit_rollout.plan_groups
  referencing new table as added for each statement execute function credit_rollout.keep_plan_whole();`,
};
