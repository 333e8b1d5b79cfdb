// The trigger for products whose sign-up code cannot change. It hangs on the product's table and runs inside its inserts:
// whatever goes wrong here is ours alone, is forgotten, and is left to the sweep and the night.

export const SIGN_UP_TRIGGER = 'credit_rollout_sign_up';

/**
 * The function: runs as our schema's owner, for the product has no right on our tables. An org that is older than the insert
 * is moved or imported, and no sign-up: its first decision keeps its floor.
 */
export const signUpFunctionSql = `
create or replace function credit_rollout.onboard_inserted() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.created_at > clock_timestamp() - interval '1 hour' then
    perform credit_rollout.onboard_org(new.org_id);
  end if;
  return null;
exception when others then
  return null;
end $$;
revoke all on function credit_rollout.onboard_inserted() from public`;

/** The trigger. Per row: rows that go straight into a partition fire it too. The relation is quoted by the catalog. */
export const signUpTriggerSql = (relation: string): string => `
create or replace trigger ${SIGN_UP_TRIGGER} after insert on ${relation}
  for each row execute function credit_rollout.onboard_inserted()`;

/** Takes function and trigger away: dropping the function needs no right on the product's table. */
export const dropSignUpTriggerSql = 'drop function if exists credit_rollout.onboard_inserted() cascade';
