// Why: what needs two people is proven to the cell by a seal of control: no login of the cell can do it alone, and no
// copy of control can do it twice.
import type { Migration } from '../migration.js';

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
  select left(encode(sha256('fingerprint'::bytea || k.outer_pad || k.inner_pad), 'hex'), 16) from credit_rollout.seal_key k
$$;

-- Raises unless control sealed this document for this data center and this kind of deed, and it is still valid.
create function credit_rollout.check_seal(document jsonb, deed text) returns void language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  expected text;
begin
  if jsonb_typeof(document) is distinct from 'object' then
    raise exception 'no seal was given' using errcode = 'restrict_violation', constraint = 'seal_wrong';
  end if;
  select encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to((document - 'mac')::text, 'UTF8'))), 'hex')
    into expected from credit_rollout.seal_key k;
  if not found then
    raise exception 'this cell has no key for seals: run init'
      using errcode = 'object_not_in_prerequisite_state', constraint = 'seal_key_missing';
  end if;
  if document ->> 'mac' is distinct from expected or document ->> 'kind' is distinct from deed
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

-- One approval, one run: also where two sessions open two at once.
create unique index runs_plan_id_idx on credit_rollout.runs (plan_id) where plan_id is not null;

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

/** Why: the instant at which sign-ups switch is what control pinned, and only two people take a cut-over back. */
export const sealCutovers: Migration = {
  name: '20261129030200_pre_seal_cutovers',
  up: `
alter table credit_rollout.gate add configured_set_at timestamptz;
comment on column credit_rollout.gate.configured_set_at is
  'when control set the configured instant: an older one never comes back';

-- Arms the gate for the later of the instant that control pinned and now. False: it was armed, and its instant is over.
-- The caller holds the gate's lock.
create function credit_rollout.arm_gate(document jsonb) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  at timestamptz; set_at timestamptz; armed boolean;
  moment timestamptz := clock_timestamp();
begin
  perform credit_rollout.check_seal(document, 'cutover');
  at := (document ->> 'at')::timestamptz;
  set_at := (document ->> 'set_at')::timestamptz;
  if not pg_try_advisory_xact_lock(1129467724, -1) then
    raise exception 'a sign-up holds the gate' using errcode = 'lock_not_available';
  end if;
  if exists (select from credit_rollout.gate g where g.configured_set_at > set_at) then
    raise exception 'the instant was moved since' using errcode = 'restrict_violation', constraint = 'seal_used';
  end if;
  update credit_rollout.gate
    set configured_at = at, configured_local = document ->> 'local', configured_set_at = set_at, armed_at = moment,
      effective_at = greatest(at, moment)
    where latched_at is null and (effective_at is null or effective_at > moment)
      and (effective_at is null or configured_at is distinct from at);
  select g.configured_at = at and g.effective_at is not null into strict armed from credit_rollout.gate g;
  return coalesce(armed, false);
end $$;

drop function credit_rollout.reverse_cutover(bigint, timestamptz, text, text, text);

-- False: this reversal was carried out before. keep_gate lets a latch go only together with the row written here.
create function credit_rollout.reverse_cutover(document jsonb) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  reversal bigint;
  gate credit_rollout.gate;
begin
  perform credit_rollout.check_seal(document, 'reversal');
  reversal := (document ->> 'reversal_id')::bigint;
  if exists (select from credit_rollout.reversals r where r.reversal_id = reversal) then return false; end if;
  if not pg_try_advisory_xact_lock(1129467724, -1) then
    raise exception 'a sign-up holds the gate' using errcode = 'lock_not_available';
  end if;
  if exists (select from credit_rollout.fence f where f.state <> 'closed') then
    raise exception 'batches are being written' using errcode = 'object_in_use';
  end if;
  select * into strict gate from credit_rollout.gate for update;
  if gate.latched_at is null then
    raise exception 'the gate is not latched' using errcode = 'object_not_in_prerequisite_state';
  end if;
  perform credit_rollout.record_seal(document);
  insert into credit_rollout.reversals (reversal_id, configured_at, configured_local, armed_at, effective_at,
      latched_at, swept_at, reversed_at, to_at, to_local, author, approver)
    values (reversal, gate.configured_at, gate.configured_local, gate.armed_at, gate.effective_at,
      gate.latched_at, gate.swept_at, clock_timestamp(), (document ->> 'at')::timestamptz, document ->> 'local', document ->> 'author',
      document ->> 'approver');
  update credit_rollout.gate set configured_at = (document ->> 'at')::timestamptz,
    configured_local = document ->> 'local', armed_at = null, effective_at = null, latched_at = null, swept_at = null;
  -- last, for it is not undone with the transaction
  perform setval('credit_rollout.gate_latches', 0);
  return true;
end $$;

-- Whoever writes the gate by a statement of his own disarms, latches or marks it as swept, and nothing else.
create function credit_rollout.check_gate_moves() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  raise exception 'the gate is armed for what control sealed' using errcode = 'restrict_violation',
    constraint = 'seal_wrong';
end $$;
create trigger gate_moves_sealed before update on credit_rollout.gate for each row
  when ((new.configured_at, new.configured_local, new.configured_set_at) is distinct from
        (old.configured_at, old.configured_local, old.configured_set_at)
    or new.effective_at is not null and new.effective_at is distinct from old.effective_at)
  execute function credit_rollout.check_gate_moves();`,
};

/** Why: two names in a row prove nothing. An override is applied with the seal of control, which knows both people. */
export const sealOverrides: Migration = {
  name: '20261129030300_pre_seal_overrides',
  up: `
alter table credit_rollout.overrides
  add nonce text not null default gen_random_uuid()::text,
  add before_seals boolean not null default true,
  add login text not null default session_user;
alter table credit_rollout.overrides alter before_seals set default false;
comment on column credit_rollout.overrides.before_seals is
  'it was proposed before control knew of overrides: init registers it under its author';
comment on column credit_rollout.overrides.nonce is 'makes its digest, which control gets, impossible to guess';
comment on column credit_rollout.overrides.login is 'the login that wrote the proposal, as this database authenticated it';

-- What control knows of an override: 64 hex digits.
create function credit_rollout.digest_override(proposal bigint) returns text language sql stable begin atomic
select encode(sha256(convert_to(jsonb_build_array('credit-rollout override 1', o.override_id, o.org_id::text, o.floor,
  o.reason, o.author, o.nonce)::text, 'UTF8')), 'hex')
from credit_rollout.overrides o where o.override_id = proposal;
end;

-- Saves the org's row as it is before the override, and who approved it: from here on, in this transaction, its floor
-- may be set.
create function credit_rollout.begin_override(document jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  number bigint;
begin
  perform credit_rollout.check_seal(document, 'override');
  number := (document ->> 'number')::bigint;
  if document ->> 'digest' is distinct from credit_rollout.digest_override(number) or not exists (
      select from credit_rollout.overrides o where o.override_id = number and o.state = 'proposed'
        and o.author = document ->> 'author') then
    raise exception 'the override is not the one that was approved'
      using errcode = 'restrict_violation', constraint = 'seal_wrong';
  end if;
  perform credit_rollout.record_seal(document);
  update credit_rollout.overrides o set approver = document ->> 'approver',
    before = (select to_jsonb(a) from credit_rollout.allotments a where a.org_id = o.org_id)
    where o.override_id = number;
end $$;

-- False: it was not begun, or is decided.
create function credit_rollout.complete_override(proposal bigint) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  update credit_rollout.overrides o set state = 'applied', decided_at = clock_timestamp(),
    after = (select to_jsonb(a) from credit_rollout.allotments a where a.org_id = o.org_id)
    where o.override_id = proposal and o.state = 'proposed' and o.before is not null;
  return found;
end $$;

-- What was begun is completed in the same transaction, and the org then has what the rule gives with that floor.
create function credit_rollout.check_override_ends() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout.overrides'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if exists (select from credit_rollout.overrides o where o.override_id = new.override_id
      and (o.state = 'proposed' or o.state = 'applied' and not exists (
        select from credit_rollout.decided(null, null, array[o.org_id], null) d
        join credit_rollout.allotments a on a.org_id = o.org_id
        where d.reason is null and d.movement = 'same' and a.floor is not distinct from o.floor))) then
    raise exception 'an override is begun and completed in one transaction, and leaves its org as the rule gives'
      using errcode = 'restrict_violation', constraint = 'overrides_end_check';
  end if;
  return null;
end $$;
create constraint trigger overrides_end after update on credit_rollout.overrides
  deferrable initially deferred for each row
  when (old.before is null and new.before is not null)
  execute function credit_rollout.check_override_ends();

-- Without a seal an override can be withdrawn only.
create function credit_rollout.check_override_seal() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  raise exception 'an override is applied with the seal of control' using errcode = 'restrict_violation',
    constraint = 'seal_wrong';
end $$;
create trigger overrides_need_seal before update on credit_rollout.overrides for each row
  when (new.state = 'applied' or (new.before, new.after, new.approver) is distinct from
        (old.before, old.after, old.approver))
  execute function credit_rollout.check_override_seal();

alter table credit_rollout.protected_orgs add login text not null default session_user;
alter table credit_rollout.freezes add login text not null default session_user, add lift_login text;
comment on column credit_rollout.protected_orgs.login is 'the login that wrote the row, as this database authenticated it';
comment on column credit_rollout.freezes.login is 'the login that wrote the row, as this database authenticated it';
comment on column credit_rollout.freezes.lift_login is 'the login that lifted it';
create function credit_rollout.sign_lift() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.lift_login := case when new.lifted_at is null then null else session_user end;
  return new;
end $$;
create trigger freezes_sign_lift before update on credit_rollout.freezes for each row
  when (new.lifted_at is distinct from old.lifted_at or new.lift_login is distinct from old.lift_login)
  execute function credit_rollout.sign_lift();`,
};
