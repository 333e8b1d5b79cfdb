// Why: what an org asked for, used or was granted is read by its own people: nobody may record it alone.
import type { Migration } from '../migration.js';

/** Why: who may override granted an exception by an override of long ago, and under any name. */
export const guardExceptions: Migration = {
  name: '20261130050600_pre_guard_exceptions',
  up: `
create or replace function credit_rollout.keep_exception() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op <> 'UPDATE' or old.state <> 'open'
     or (new.exception_id, new.org_id, new.text, new.wanted, new.until, new.asked_by, new.asked_at)
       is distinct from (old.exception_id, old.org_id, old.text, old.wanted, old.until, old.asked_by, old.asked_at)
     -- answer_exception grants it, as the owner, when its override is applied
     or new.state = 'granted' and not pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage')
     or new.override_id is not null and not exists (select from credit_rollout.overrides o
       where o.override_id = new.override_id and o.org_id = new.org_id
         and o.state = (case new.state when 'granted' then 'applied' else 'proposed' end)) then
    raise exception 'an exception is decided once, and granted by an override of its org'
      using errcode = 'restrict_violation', constraint = 'exceptions_decided_once';
  end if;
  if new.state <> 'open' then new.answered_at := clock_timestamp(); end if;
  if new.state <> 'open' and not pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    new.answered_by := credit_rollout.name_person(new.answered_by);
  end if;
  return new;
end $$;

-- Of exceptions and protected orgs: who wrote it is the login, after the name that its program gave.
create function credit_rollout.sign_person() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_table_name = 'exceptions' then new.asked_by := credit_rollout.name_person(new.asked_by);
  else new.protected_by := credit_rollout.name_person(new.protected_by); end if;
  return new;
end $$;
create trigger exceptions_sign_person before insert on credit_rollout.exceptions
  for each row execute function credit_rollout.sign_person();
create trigger protected_orgs_sign_person before insert on credit_rollout.protected_orgs
  for each row execute function credit_rollout.sign_person();

-- Belongs to the role that reads the source: an org that there is not asks for nothing. It waits for no other one.
create or replace function credit_rollout.ask_exception(org_id credit_rollout.org_id, wish text,
    wanted bigint default null, until date default null) returns bigint language plpgsql
  security definer set search_path = pg_catalog, pg_temp set lock_timeout = '250ms' as $$
declare
  number bigint;
begin
  if not exists (select from credit_rollout.source_orgs s where s.org_id = $1) then
    raise exception 'there is no such org' using errcode = 'foreign_key_violation',
      constraint = 'exceptions_org_known';
  end if;
  insert into credit_rollout.exceptions (org_id, text, wanted, until, asked_by)
    values ($1, $2, $3, $4, session_user) returning exception_id into number;
  return number;
end $$;
revoke all on function credit_rollout.sign_person from public;`,
};

const MAX_COUNTER = '100000000000000000';
const COUNTERS = [
  'calls',
  'credits',
  'calls_given_back',
  'credits_given_back',
  'refused_by_credits',
  'refused_by_concurrency',
  'peak_in_flight',
] as const;
const formPath = ['calls', 'credits'].reduce(
  (path, name) => `${path} && @.${name}.type() == "number" && @.${name} >= 0 && @.${name} <= ${MAX_COUNTER}`,
  '@.type() == "object"',
);

// `->> 'calls'` is read as a bigint, so 1.0 does not do either; a question mark is a binding to knex
const FORM = String.raw`kinds = '{}' or octet_length(kinds::text) <= 20000 and kinds::text !~ ': *[0-9]+[.]'
  and not jsonb_path_exists(kinds, 'strict $.* \? (!(${formPath}) || (${formPath}) is unknown)')`;

/** Why: one impossible counter of one meter made every sum of that org fail, and the batches of other meters. */
export const boundUsage: Migration = {
  name: '20261130050700_pre_bound_usage',
  up: `
update credit_rollout.usage_days set
  ${COUNTERS.map((counter) => `${counter} = least(${counter}, ${MAX_COUNTER})`).join(', ')},
  kinds = case when ${FORM} then kinds else '{}' end
  where greatest(${COUNTERS.join(', ')}) > ${MAX_COUNTER} or not (${FORM});
alter table credit_rollout.usage_days
  add constraint usage_days_counters_check check (greatest(${COUNTERS.join(', ')}) <= ${MAX_COUNTER}),
  add constraint usage_days_kinds_form_check check (${FORM});`,
};

/** Why: the end of an override compared how the rule would move the org, which leaves out who wins. */
export const compareWholeOverrides: Migration = {
  name: '20261130050800_pre_compare_whole_overrides',
  up: `
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
        and a.floor is not distinct from o.floor and a.winner = d.winner
        and a.grandfathered_credits = d.grandfathered_credits and a.total_credits = d.total_credits) then
    raise exception 'an override leaves its org as the rule gives'
      using errcode = 'restrict_violation', constraint = 'overrides_end_check';
  end if;
  return credit_rollout.finish_override(proposal);
end $$;`,
};
