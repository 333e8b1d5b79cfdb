// The trigger for products whose sign-up code cannot change. It is on the product's table and runs inside its inserts, so it
// swallows every error of ours; the sweep and the nightly run find what it missed.

export const SIGN_UP_TRIGGER = 'credit_rollout_sign_up';

/**
 * The function runs as our schema's owner, since the product has no rights on our tables. An org that is older than the
 * insert was moved or imported and is no sign-up: its first decision sets its floor.
 */
export const signUpFunctionSql = `
create or replace function credit_rollout.onboard_inserted() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- a statement of many rows: what is left of its time is not ours
  if new.created_at > clock_timestamp() - interval '1 hour' and credit_rollout.spent_of_timeouts() < 0.75 then
    perform credit_rollout.onboard_org(new.org_id);
  end if;
  return null;
exception when query_canceled or assert_failure or others then
  return null;
end $$;
revoke all on function credit_rollout.onboard_inserted() from public`;

/** The trigger, per row: rows that are inserted straight into a partition fire it too. The catalog quoted the relation. */
export const signUpTriggerSql = (relation: string): string => `
create or replace trigger ${SIGN_UP_TRIGGER} after insert on ${relation}
  for each row execute function credit_rollout.onboard_inserted()`;

/** Drops function and trigger: dropping the function needs no right on the product's table. */
export const dropSignUpTriggerSql = 'drop function if exists credit_rollout.onboard_inserted() cascade';
