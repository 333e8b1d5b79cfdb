// Why: DELETE on a table, or UPDATE of all of it, lets a login lock it: the product then waited inside its own
// statements, and its edits went unseen.
import type { Migration } from '../migration.js';

/** Why: rows are deleted by functions, so that no login can lock their table. Old workers and old code are refused. */
export const deleteByFunctions: Migration = {
  name: '20261130051000_pre_delete_by_functions',
  up: `
-- Deletes recorded edits, at most so many of the newest or the oldest, and returns them.
create function credit_rollout.take_changes(most integer, newest boolean)
  returns table (org_id credit_rollout.org_id, change_no bigint) language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if newest then
    return query delete from credit_rollout.changed_orgs c where c.change_no in (
      select x.change_no from credit_rollout.changed_orgs x order by x.change_no desc limit most)
      returning c.org_id, c.change_no;
  else
    return query delete from credit_rollout.changed_orgs c where c.change_no in (
      select x.change_no from credit_rollout.changed_orgs x order by x.change_no limit most)
      returning c.org_id, c.change_no;
  end if;
end $$;

create function credit_rollout.unprotect_org(org credit_rollout.org_id) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from credit_rollout.protected_orgs p where p.org_id = org;
end $$;

-- What an adoption is about, as a hash: another copy of the cell, or one that went on since, has another one. What
-- sign-ups of the product add is not in it.
create or replace function credit_rollout.digest_adoption() returns text language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select encode(sha256(convert_to(jsonb_build_object(
    'data_center', c.data_center, 'from_system', c.system_identifier, 'from_database', c.database_name,
    'to_system', s.system_identifier::text, 'to_database', current_database(),
    'timeline', left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), 'fence', f.state, 'epoch', f.epoch,
    'run', (select max(r.run_id) from credit_rollout.runs r),
    'plan', (select max(p.plan_id) from credit_rollout.plans p),
    'change', (select max(h.change_id) from credit_rollout.allotment_changes h),
    'card', c.active_card, 'source', c.source,
    'gate', (select jsonb_build_array(extract(epoch from g.configured_at), extract(epoch from g.effective_at),
      extract(epoch from g.latched_at), extract(epoch from g.swept_at)) from credit_rollout.gate g),
    'reversals', (select count(*) from credit_rollout.reversals),
    'seals', (select count(*) from credit_rollout.used_seals),
    'freezes', (select jsonb_build_array(max(z.freeze_id), count(*) filter (where z.lifted_at is null))
      from credit_rollout.freezes z),
    'overrides', (select jsonb_build_array(max(o.override_id), count(*) filter (where o.state = 'applied'))
      from credit_rollout.overrides o))::text, 'UTF8')), 'hex')
  from credit_rollout.cell c, credit_rollout.fence f, pg_control_system() s
$$;
revoke all on function credit_rollout.take_changes, credit_rollout.unprotect_org from public;`,
};
