// Why: who may override could fill two tables with ids that nobody has, which nothing ever purges.
import type { Migration } from '../migration.js';

/**
 * Why: a limit of its own and a protection are for an org that is in the source or has an allotment. It runs as who
 * writes, who may read both. Old code asked the same before it wrote; rows that are there stay.
 */
export const refuseUnknownOrgs: Migration = {
  name: '20261205070100_pre_refuse_unknown_orgs',
  up: `
create function credit_rollout.check_org_known() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from credit_rollout.allotments a where a.org_id = new.org_id)
     and not exists (select from credit_rollout.source_orgs s where s.org_id = new.org_id) then
    raise exception 'there is no such org' using errcode = 'foreign_key_violation', constraint = 'org_known';
  end if;
  return new;
end $$;
revoke all on function credit_rollout.check_org_known from public;
create trigger enforcement_org_known before insert on credit_rollout.enforcement
  for each row when (new.org_id is not null) execute function credit_rollout.check_org_known();
create trigger protected_orgs_org_known before insert on credit_rollout.protected_orgs
  for each row execute function credit_rollout.check_org_known();`,
};
