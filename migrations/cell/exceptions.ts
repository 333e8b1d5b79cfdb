// Why: who has a special case is heard, and gets an answer that stays.
import type { Migration } from '../migration.js';

/** Why: what an org asks for waits in its own cell, and is granted by an override of two people. Old code has none. */
export const createExceptions: Migration = {
  name: '20261130020100_pre_create_exceptions',
  up: `
create table credit_rollout.exceptions (
  exception_id bigint generated always as identity primary key,
  org_id credit_rollout.org_id not null,
  text text not null check (text ~ '[^[:space:]]' and length(text) <= 4000),
  wanted bigint check (wanted > 0),
  until date,
  asked_by text not null,
  asked_at timestamptz not null default clock_timestamp(),
  state text not null default 'open' check (state in ('open', 'granted', 'declined', 'withdrawn')),
  override_id bigint references credit_rollout.overrides,
  answer text,
  answered_by text,
  answered_at timestamptz,
  constraint exceptions_answer_check check (
    state = 'open' and answered_by is null and answered_at is null
    or state = 'granted' and override_id is not null and answered_by is not null and answered_at is not null
    or state = 'declined' and override_id is null and answer <> '' and answered_by is not null
      and answered_at is not null
    or state = 'withdrawn' and override_id is null and answered_by is not null and answered_at is not null)
);
comment on table credit_rollout.exceptions is 'special cases that orgs asked for, with their answers';
create unique index exceptions_open_idx on credit_rollout.exceptions (org_id) where state = 'open';
-- the newest of an org
create index exceptions_org_id_idx on credit_rollout.exceptions (org_id, exception_id);

-- An exception is decided once. It is granted when its override is applied, and open again when that is withdrawn.
create function credit_rollout.keep_exception() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op <> 'UPDATE' or old.state <> 'open'
     or (new.exception_id, new.org_id, new.text, new.wanted, new.until, new.asked_by, new.asked_at)
       is distinct from (old.exception_id, old.org_id, old.text, old.wanted, old.until, old.asked_by, old.asked_at)
     or new.override_id is not null and not exists (select from credit_rollout.overrides o
       where o.override_id = new.override_id and o.org_id = new.org_id
         and o.state = (case new.state when 'granted' then 'applied' else 'proposed' end)) then
    raise exception 'an exception is decided once, and granted by an override of its org'
      using errcode = 'restrict_violation', constraint = 'exceptions_decided_once';
  end if;
  if new.state <> 'open' then new.answered_at := clock_timestamp(); end if;
  return new;
end $$;
create trigger exceptions_decided_once before update or delete on credit_rollout.exceptions
  for each row execute function credit_rollout.keep_exception();
create trigger exceptions_refuse_truncate before truncate on credit_rollout.exceptions
  for each statement execute function credit_rollout.refuse_change();

-- Where an exception waits for an override, the decision on that is its own.
create function credit_rollout.answer_exception() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout.overrides'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if new.state = 'applied' then
    update credit_rollout.exceptions e set state = 'granted', answered_by = new.approver
      where e.override_id = new.override_id and e.state = 'open';
  else
    update credit_rollout.exceptions e set override_id = null, answer = null
      where e.override_id = new.override_id and e.state = 'open';
  end if;
  return null;
end $$;
create trigger overrides_answer_exception after update on credit_rollout.overrides for each row
  when (old.state = 'proposed' and new.state <> 'proposed') execute function credit_rollout.answer_exception();

-- For a form of the product: what an org asks for. wanted: credits a day, until: the last day; null: not said.
-- Returns its number. Raises where one of the org is open.
create function credit_rollout.ask_exception(org_id credit_rollout.org_id, wish text, wanted bigint default null,
    until date default null) returns bigint language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  number bigint;
begin
  insert into credit_rollout.exceptions (org_id, text, wanted, until, asked_by)
    values ($1, $2, $3, $4, session_user) returning exception_id into number;
  return number;
end $$;
revoke all on function credit_rollout.keep_exception, credit_rollout.answer_exception, credit_rollout.ask_exception
  from public;`,
};
