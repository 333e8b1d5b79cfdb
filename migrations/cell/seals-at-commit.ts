// Why: a seal that was checked when it was used could be over long before the transaction that used it committed.
import type { Migration } from '../migration.js';

/**
 * Why: a login left a transaction open in which it had armed an old instant, and committed it later. Every seal that is
 * used is checked again as its transaction commits. The check finds out whether it runs there: a row that it adds is
 * met at once where somebody asked for the check early, since SET CONSTRAINTS names the constraint of both. A
 * transaction that notifies cannot be prepared. What would run between the check and the commit is a cursor that
 * outlives the transaction, or a deferred trigger of a table that it wrote, which stays locked by it; who owns our
 * schema is not asked.
 */
export const checkSealsAtCommit: Migration = {
  name: '20261201020000_pre_check_seals_at_commit',
  up: `
create table credit_rollout.seals_in_use (document jsonb, action text);
comment on table credit_rollout.seals_in_use is
  'always empty: a transaction that uses a seal has it here until it commits, and it is checked then';

alter function credit_rollout.check_seal(jsonb, text) rename to prove_seal;
create function credit_rollout.check_seal(document jsonb, action text) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  perform credit_rollout.prove_seal(document, action);
  insert into credit_rollout.seals_in_use (document, action)
    select $1, $2 where not exists (select from credit_rollout.seals_in_use u where (u.document, u.action) = ($1, $2));
end $$;
alter function credit_rollout.sealed_days(jsonb, text) volatile;

create function credit_rollout.can_delay_commit() returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  return not pg_has_role(session_user,
      (select n.nspowner from pg_namespace n where n.nspname = 'credit_rollout'), 'usage')
    and (exists (select from pg_cursors c where c.is_holdable)
      or exists (
        select from pg_locks l join pg_trigger t on t.tgrelid = l.relation and t.tgdeferrable
        join pg_class c on c.oid = t.tgrelid and c.relnamespace <> 'credit_rollout'::regnamespace
        where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.mode ~ 'Exclusive'
          and l.database = (select d.oid from pg_database d where d.datname = current_database())));
end $$;

create function credit_rollout.check_seal_at_commit() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout.seals_in_use'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if new.document is null then
    perform set_config('credit_rollout.immediate', 'yes', true);
    return null;
  end if;
  perform pg_notify('credit_rollout', '');
  perform set_config('credit_rollout.immediate', 'no', true);
  insert into credit_rollout.seals_in_use default values;
  delete from credit_rollout.seals_in_use;
  if current_setting('credit_rollout.immediate') <> 'no' or credit_rollout.can_delay_commit() then
    raise exception 'this is checked when the transaction commits, and not before'
      using errcode = 'restrict_violation', constraint = 'decided_at_commit';
  end if;
  perform credit_rollout.prove_seal(new.document, new.action);
  return null;
end $$;
create constraint trigger seals_checked_at_commit after insert on credit_rollout.seals_in_use
  deferrable initially deferred for each row execute function credit_rollout.check_seal_at_commit();

revoke all on function credit_rollout.prove_seal, credit_rollout.check_seal, credit_rollout.sealed_days,
  credit_rollout.can_delay_commit, credit_rollout.check_seal_at_commit from public;`,
};
