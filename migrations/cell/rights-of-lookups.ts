// Why: a trigger that looks an org up in the source ran the product's views as whoever wrote, the owner of ours too.
import type { Migration } from '../migration.js';

/** Why: the owner, who only moves what is there already, is not asked. Old code knows no difference. */
export const readNoSourceAsOwner: Migration = {
  name: '20261206070000_pre_read_no_source_as_owner',
  up: `
create or replace function credit_rollout.check_org_known() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  -- the code of the product's views is never run with the owner's rights
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  if not exists (select from credit_rollout.allotments a where a.org_id = new.org_id)
     and not exists (select from credit_rollout.source_orgs s where s.org_id = new.org_id) then
    raise exception 'there is no such org' using errcode = 'foreign_key_violation', constraint = 'org_known';
  end if;
  return new;
end $$;
revoke all on function credit_rollout.check_org_known from public;`,
};
