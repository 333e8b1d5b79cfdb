// Why: what schedulers note of holds and failures is told to people, and leaves by webhooks.
import type { Migration } from '../migration.js';

/** What formatRelease of src/domain writes: a command of ours, or what happens by itself. No shell takes it for two. */
const RELEASE = String.raw`^(credit-rollout [a-z]|it )([^;|&<>\x60$\\[:cntrl:]]|; to )*$`;

/**
 * Why: a scheduler's login wrote holds that began in 2001, with a text as the code and a command of its own, and a
 * webhook told it. What is odd is corrected, not refused: a scheduler goes on. And a step that failed by turns for a
 * lock and for the time seemed to fail for the first time for ever, so that nobody was told: how long it waited is
 * chance.
 */
export const signHolds: Migration = {
  name: '20261204040020_pre_sign_holds',
  up: `
create function credit_rollout_control.sign_hold() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  new.since := case when tg_op = 'UPDATE' then old.since else clock_timestamp() end;
  if new.code !~ '^[a-z][a-z_]{0,39}$' then new.code := 'other'; end if;
  new.value := regexp_replace(new.value, '[[:cntrl:]]', ' ', 'g');
  new.limit_value := regexp_replace(new.limit_value, '[[:cntrl:]]', ' ', 'g');
  if length(new.release) > 300 or new.release !~ '${RELEASE}' then new.release := 'credit-rollout doctor'; end if;
  return new;
end $$;
create trigger holds_signed before insert or update on credit_rollout_control.holds
  for each row execute function credit_rollout_control.sign_hold();

create or replace function credit_rollout_control.count_failed_step() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  waited constant text[] := '{55P03,57014,40P01,25P03,25P04}';
begin
  if tg_op = 'UPDATE' and (new.code = old.code or new.code = any (waited) and old.code = any (waited)) then
    new.times := least(old.times, 1000000) + 1;
    new.since := old.since;
  else
    new.times := 1;
    new.since := clock_timestamp();
  end if;
  return new;
end $$;
revoke all on function credit_rollout_control.sign_hold from public;`,
};
