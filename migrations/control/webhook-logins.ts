// Why: who sends messages again may not say that they were delivered, and no count of failures ends the next attempt.
import type { Migration } from '../migration.js';

/**
 * Why: an operator's login marked messages as delivered, that of its own proposal too, and held webhooks back for
 * hours. It sends again what is over, and an attempt comes no later by it. A counter at its end refused each later
 * failure.
 */
export const keepDeliveries: Migration = {
  name: '20261204040040_pre_keep_deliveries',
  up: `
create or replace function credit_rollout_control.sign_webhook() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    if (select count(*) from credit_rollout_control.webhooks) >= 20 then
      raise exception 'there are at most 20 webhooks' using errcode = 'check_violation',
        constraint = 'webhooks_count_check';
    end if;
    new.seen_at := clock_timestamp();
  elsif new.seen_at is distinct from old.seen_at then
    new.seen_at := clock_timestamp();
  end if;
  new.failures := least(new.failures, 1000000);
  new.failing_since := case when new.failures = 0 then null
    when tg_op = 'UPDATE' then coalesce(old.failing_since, clock_timestamp()) else clock_timestamp() end;
  new.next_attempt_at := least(new.next_attempt_at, clock_timestamp() + interval '8 hours');
  if tg_op = 'UPDATE' and not credit_rollout_control.has_role('scheduler') then
    new.next_attempt_at := least(new.next_attempt_at, old.next_attempt_at);
  end if;
  -- least(null, …) would be the other one
  if new.leased_until > clock_timestamp() + interval '1 minute' then
    new.leased_until := clock_timestamp() + interval '1 minute';
  end if;
  return new;
end $$;

create or replace function credit_rollout_control.sign_delivery() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.has_role('scheduler') and (old.state = 'waiting' or new.state <> 'waiting') then
    raise exception 'only a scheduler delivers messages' using errcode = 'insufficient_privilege';
  end if;
  new.attempts := least(new.attempts, 1000000);
  if new.due_at is distinct from old.due_at then new.due_at := clock_timestamp(); end if;
  new.settled_at := case when new.state = 'waiting' then null when new.state = old.state then old.settled_at
    else clock_timestamp() end;
  return new;
end $$;`,
};
