// Why: whoever may update a row can keep it locked, and what many add can be taken in advance. A freeze waits for
// nobody, and a card comes whole or not at all.
import type { Migration } from '../migration.js';

/**
 * Why: a lift that was not committed kept others from freezing. Freezes are written by these functions only; old code
 * is refused. Several rows may hold at once: then the cell stays frozen until all are lifted.
 */
export const freezeWithoutWaiting: Migration = {
  name: '20261130050000_pre_freeze_without_waiting',
  up: `
drop index credit_rollout.freezes_open_idx;
create index freezes_open_idx on credit_rollout.freezes (freeze_id) where lifted_at is null;
comment on column credit_rollout.freezes.frozen_by is
  'the login, after the name that its program gave if it gave another; where one login is for everything, that name';

-- The name that a row gets: only who owns the schema may name somebody else.
create function credit_rollout.name_person(claimed text) returns text language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
begin
  return case
    when coalesce(claimed, '') in ('', session_user) then session_user
    when pg_has_role(session_user, (select n.nspowner from pg_namespace n where n.nspname = 'credit_rollout'), 'usage')
      then claimed
    else claimed || ' (login ' || session_user || ')' end;
end $$;

-- False: the cell was frozen before, and nobody was lifting that. Who keeps the lock delays it by 200 ms at most.
create function credit_rollout.freeze_cell(claimed text, why text) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
  alone boolean := true;
begin
  begin
    perform pg_advisory_xact_lock(1129467724, -4);
  exception when lock_not_available then
    alone := false;
  end;
  if alone and exists (select from credit_rollout.freezes z where z.lifted_at is null) then return false; end if;
  insert into credit_rollout.freezes (frozen_by, reason) values (credit_rollout.name_person(claimed), why);
  return true;
end $$;

-- Only who holds the fence exclusively knows that nothing is open. A row that somebody keeps locked is left out.
create function credit_rollout.acknowledge_freeze() returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not pg_try_advisory_xact_lock(1129467724, 0) then
    raise exception 'the fence is held by somebody else' using errcode = 'lock_not_available';
  end if;
  update credit_rollout.freezes set acknowledged_at = clock_timestamp()
    where freeze_id in (select z.freeze_id from credit_rollout.freezes z
      where z.lifted_at is null and z.acknowledged_at is null for update skip locked);
end $$;

-- False: it was not frozen.
create function credit_rollout.lift_freeze(claimed text, why text) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(1129467724, -4);
  update credit_rollout.freezes set lifted_at = clock_timestamp(), lifted_by = credit_rollout.name_person(claimed),
    lift_reason = why where lifted_at is null;
  return found;
end $$;

revoke all on function credit_rollout.name_person, credit_rollout.freeze_cell, credit_rollout.acknowledge_freeze,
  credit_rollout.lift_freeze from public;`,
};

/**
 * Why: who may add a card could add its name with other settings first, so that its rates never fitted. A card and its
 * rates are added by one call, and their hash is compared. Old code is refused.
 */
export const addCardsWhole: Migration = {
  name: '20261130050100_pre_add_cards_whole',
  up: `
-- what somebody left without rates, and nothing uses
alter table credit_rollout.rate_cards disable trigger rate_cards_append_only;
do $$
declare
  unfinished text;
begin
  for unfinished in select c.card_hash from credit_rollout.rate_cards c
      where not exists (select from credit_rollout.rates r where r.card_hash = c.card_hash) loop
    begin
      delete from credit_rollout.rate_cards where card_hash = unfinished;
    exception when foreign_key_violation then null;
    end;
  end loop;
end $$;
alter table credit_rollout.rate_cards enable trigger rate_cards_append_only;

-- Adds a card unless it is there; false: it is. Its keys are those of toDocument in src/stores/cell/org/rates.ts.
create function credit_rollout.add_rate_card(card jsonb) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into credit_rollout.rate_cards (card_hash, name, light_agents_count_as_users, unpaid_edition, costs)
    values (card ->> 'hash', card ->> 'name', (card ->> 'light_agents_count_as_users')::boolean, card ->> 'unpaid',
      card ->> 'costs')
    on conflict do nothing;
  if not found then return false; end if;
  insert into credit_rollout.rates (card_hash, edition, base, per_agent, concurrency, unpaid_base, unpaid_per_agent,
      unpaid_concurrency, legacy_flat, legacy_per_user, legacy_min, legacy_max, edition_rank)
    select card ->> 'hash', r.edition, r.base, r.per_agent, r.concurrency, u.base, u.per_agent, u.concurrency,
      r.legacy_flat, r.legacy_per_user, r.legacy_min, r.legacy_max, r.edition_rank
    from jsonb_to_recordset(card -> 'rates') as r (edition text, base bigint, per_agent bigint, concurrency integer,
        legacy_flat bigint, legacy_per_user bigint, legacy_min bigint, legacy_max bigint, edition_rank integer),
      jsonb_to_recordset(card -> 'rates') as u (edition text, base bigint, per_agent bigint, concurrency integer)
    where u.edition = card ->> 'unpaid';
  -- the trigger compares the hash of what there is
  if not found then
    raise exception 'the rates are not those of the card that they name'
      using errcode = 'check_violation', constraint = 'rates_hash_check';
  end if;
  return true;
end $$;
revoke all on function credit_rollout.add_rate_card from public;`,
};

/** Why: who writes a finding or a decision must not choose its time, nor write those of runs that have ended. */
export const signCellRows: Migration = {
  name: '20261130050200_pre_sign_cell_rows',
  up: `
create function credit_rollout.sign_drift() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  if not exists (select from credit_rollout.fence f join credit_rollout.runs r on r.run_id = f.run_id
      where r.run_id = new.run_id and r.state = 'open')
     or tg_op = 'UPDATE' and (new.run_id, new.org_id) is distinct from (old.run_id, old.org_id) then
    raise exception 'findings belong to the run that is open' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'drift_needs_open_run';
  end if;
  if tg_op = 'INSERT' or new.found_at is distinct from old.found_at then new.found_at := clock_timestamp(); end if;
  return new;
end $$;
create trigger drift_signed before insert or update on credit_rollout.drift
  for each row execute function credit_rollout.sign_drift();

alter table credit_rollout.overrides add decide_login text;
comment on column credit_rollout.overrides.decide_login is 'the login that applied or withdrew it';
create function credit_rollout.sign_override() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.decided_at := case when new.state = 'proposed' then null else clock_timestamp() end;
  new.decide_login := case when new.state = 'proposed' then null else session_user end;
  return new;
end $$;
create trigger overrides_sign_decision before update on credit_rollout.overrides for each row
  when ((new.state, new.decided_at, new.decide_login) is distinct from
        (old.state, old.decided_at, old.decide_login))
  execute function credit_rollout.sign_override();

alter table credit_rollout.exceptions add login text, add answer_login text;
alter table credit_rollout.exceptions alter login set default session_user;
comment on column credit_rollout.exceptions.login is 'the login that wrote the row, as this database authenticated it';
comment on column credit_rollout.exceptions.answer_login is 'the login that answered or withdrew it';
create function credit_rollout.sign_answer() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.answer_login := case when new.state = 'open' then null else session_user end;
  return new;
end $$;
create trigger exceptions_sign_answer before update on credit_rollout.exceptions for each row
  when ((new.state, new.answer_login) is distinct from (old.state, old.answer_login))
  execute function credit_rollout.sign_answer();

revoke all on function credit_rollout.sign_drift, credit_rollout.sign_override, credit_rollout.sign_answer
  from public;`,
};
