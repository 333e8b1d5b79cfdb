// Why: a cut-over and an override need two people too. Their functions check the seal of control: seals.ts.
import type { Migration } from '../migration.js';

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
      gate.latched_at, gate.swept_at, clock_timestamp(), (document ->> 'at')::timestamptz, document ->> 'local',
      document ->> 'author', document ->> 'approver');
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
