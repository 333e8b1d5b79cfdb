// Why: people who protect an org or apply an override need not be able to do what a worker does.
import type { Migration } from '../migration.js';

/**
 * Why: an override is written by functions of the owner, so that who applies it holds no right on allotments. Old code
 * that applies one meanwhile is refused, and its transaction writes nothing.
 */
export const narrowOverrides: Migration = {
  name: '20261129193000_pre_narrow_overrides',
  up: `
-- Saves the org's row as it is before the override, and who approved it: from here on, in this transaction,
-- write_override may write it. The lock of the fence comes first, as in every batch; the org's row stays locked.
create or replace function credit_rollout.begin_override(document jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  number bigint;
begin
  perform credit_rollout.check_seal(document, 'override');
  number := (document ->> 'number')::bigint;
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'allotments are written at read committed' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  perform pg_advisory_xact_lock_shared(1129467724, 0);
  if exists (select from credit_rollout.freezes z where z.lifted_at is null)
     or exists (select from credit_rollout.fence f where f.state <> 'closed')
     or exists (select from credit_rollout.runs r where r.state = 'open') then
    raise exception 'an override is applied while no run is open, and nothing is frozen'
      using errcode = 'object_not_in_prerequisite_state', constraint = 'overrides_need_rest';
  end if;
  perform from credit_rollout.overrides o where o.override_id = number for update;
  if document ->> 'digest' is distinct from credit_rollout.digest_override(number) or not exists (
      select from credit_rollout.overrides o where o.override_id = number and o.state = 'proposed'
        and o.author = document ->> 'author') then
    raise exception 'the override is not the one that was approved'
      using errcode = 'restrict_violation', constraint = 'seal_wrong';
  end if;
  perform credit_rollout.record_seal(document);
  perform from credit_rollout.allotments a
    where a.org_id = (select o.org_id from credit_rollout.overrides o where o.override_id = number) for update;
  update credit_rollout.overrides o set approver = document ->> 'approver',
    before = (select to_jsonb(a) from credit_rollout.allotments a where a.org_id = o.org_id)
    where o.override_id = number;
end $$;

-- Writes the org of a begun override: its terms by column name, with the active card. The floor is that of the
-- override, and when the transaction ends the whole row must be what the rule gives with it.
create function credit_rollout.write_override(proposal bigint, terms jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  org credit_rollout.org_id;
begin
  select o.org_id into org from credit_rollout.overrides o
    where o.override_id = proposal and o.state = 'proposed' and o.before is not null;
  if not found then
    raise exception 'the override was not begun' using errcode = 'restrict_violation', constraint = 'seal_wrong';
  end if;
  perform set_config('credit_rollout.cause', 'override', true), set_config('credit_rollout.run_id', '', true);
  update credit_rollout.allotments a set edition = t.edition, paid = t.paid, agents = t.agents,
      light_agents = t.light_agents, negotiated_limit = t.negotiated_limit, base_credits = t.base_credits,
      variable_credits = t.variable_credits, additional_credits = t.additional_credits,
      legacy_limit = t.legacy_limit, floor = t.floor, floor_edition = t.floor_edition,
      unpaid_since = t.unpaid_since, grandfathered_credits = t.grandfathered_credits,
      total_credits = t.total_credits, concurrency_limit = t.concurrency_limit, winner = t.winner,
      rate_card = c.active_card, run_id = null, computed_at = clock_timestamp()
    from jsonb_populate_record(null::credit_rollout.allotments, terms) t, credit_rollout.cell c
    where a.org_id = org;
end $$;

-- False: it was not begun, or is decided.
create function credit_rollout.finish_override(proposal bigint) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  update credit_rollout.overrides o set state = 'applied', decided_at = clock_timestamp(),
    after = (select to_jsonb(a) from credit_rollout.allotments a where a.org_id = o.org_id)
    where o.override_id = proposal and o.state = 'proposed' and o.before is not null;
  return found;
end $$;
revoke all on function credit_rollout.finish_override from public;

-- The same, once the org has what the rule gives with the floor of the override; nothing writes it afterwards.
create or replace function credit_rollout.complete_override(proposal bigint) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from credit_rollout.overrides o where o.override_id = proposal and o.state = 'proposed'
       and o.before is not null)
     and not exists (
      select from credit_rollout.overrides o
      cross join lateral credit_rollout.decided(null, null, array[o.org_id], null) d
      join credit_rollout.allotments a on a.org_id = o.org_id
      where o.override_id = proposal and d.reason is null and d.movement = 'same'
        and a.floor is not distinct from o.floor) then
    raise exception 'an override leaves its org as the rule gives'
      using errcode = 'restrict_violation', constraint = 'overrides_end_check';
  end if;
  return credit_rollout.finish_override(proposal);
end $$;

-- What was begun is completed in the same transaction, and never withdrawn in it.
create or replace function credit_rollout.check_override_ends() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout.overrides'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if not exists (
      select from credit_rollout.overrides o where o.override_id = new.override_id and o.state = 'applied') then
    raise exception 'an override is begun and completed in one transaction'
      using errcode = 'restrict_violation', constraint = 'overrides_end_check';
  end if;
  return null;
end $$;

-- Batches need an open fence, the change feed its single writes. The owner's functions, such as write_override, and the
-- owner decide for themselves. The lock comes first, as in every batch: a snapshot that is older than the wait for it,
-- or than this statement, would show a fence that was open once.
create or replace function credit_rollout.require_open_work() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return null; end if;
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'allotments are written at read committed' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  perform pg_advisory_xact_lock_shared(1129467724, 0);
  if exists (select from credit_rollout.freezes z where z.lifted_at is null)
     or not exists (select from credit_rollout.fence f join credit_rollout.runs r using (run_id)
          where f.state = 'open' and r.state = 'open')
       and not exists (select from credit_rollout.fence f where f.single_writes) then
    raise exception 'no run is open here that may write allotments' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  return null;
end $$;

create or replace function credit_rollout.record_worker_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.login := session_user;
  select case when r.rolsuper then '{superuser}'::text[] else array(
      select p.power from (values
        ('createrole', r.rolcreaterole),
        ('owner', pg_has_role(r.oid, (select t.relowner from pg_class t where t.oid = tg_relid), 'member')),
        ('fencer', pg_has_role(r.oid, to_regrole(c.prefix || 'fencer'), 'member')),
        ('operator', pg_has_role(r.oid, to_regrole(c.prefix || 'operator'), 'member')),
        ('override', pg_has_role(r.oid, to_regrole(c.prefix || 'override'), 'member')),
        ('reader', pg_has_role(r.oid, to_regrole(c.prefix || 'reader'), 'member'))) p (power, held)
      where p.held) end
    into new.powers
    from pg_roles r cross join (
      select 'credit_rollout_' || replace(x.data_center, '-', '_') || '_' as prefix from credit_rollout.cell x) c
    where r.rolname = session_user;
  return new;
end $$;`,
};
