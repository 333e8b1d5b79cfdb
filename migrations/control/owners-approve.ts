// Why: one login for everything, which owns the schema and is no superuser, was refused the approval that lets a plan
// inside its guard-rails through, so that no rollout of it ever began. Every other check counts the owner in.
import type { Migration } from '../migration.js';

/** Why: who may what is asked in one way. Old code sees that the owner is not refused. */
export const letOwnersApprove: Migration = {
  name: '20261201040100_pre_let_owners_approve',
  up: `
create or replace function credit_rollout_control.check_approver() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not (case new.kind
      when 'person' then credit_rollout_control.has_role('approver')
      else credit_rollout_control.has_role('operator') or credit_rollout_control.has_role('scheduler') end) then
    raise exception 'this login may not give such an approval' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;`,
};
