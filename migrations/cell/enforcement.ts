// Why: limits of calls can be measured before they refuse anything, and be switched on while gateways run.
import type { Migration } from '../migration.js';

/**
 * Why: what limits do is said in the cell, for all orgs and apart for some, and gateways read it with the limits. At
 * first they are in shadow: whoever begins to meter sees what would be refused before a customer does. Old code does
 * not know it.
 */
export const createEnforcement: Migration = {
  name: '20261130070000_pre_create_enforcement',
  up: `
create table credit_rollout.enforcement (
  org_id credit_rollout.org_id,
  credits text check (credits in ('off', 'shadow', 'on')),
  concurrency text check (concurrency in ('off', 'shadow', 'on')),
  changed_at timestamptz not null default clock_timestamp(),
  -- an org with neither has what its data center has
  constraint enforcement_given_check check (org_id is not null or credits is not null and concurrency is not null)
);
comment on table credit_rollout.enforcement is
  'whether limits of calls refuse: one row for all orgs, without org_id, and one for each org that differs';
-- two indexes, since 14 has none that takes a null for a value
create unique index enforcement_org_id_idx on credit_rollout.enforcement (org_id) where org_id is not null;
create unique index enforcement_general_idx on credit_rollout.enforcement ((true)) where org_id is null;

-- when it was changed is not up to who changes it
create function credit_rollout.date_enforcement() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.changed_at := clock_timestamp();
  return new;
end $$;
revoke all on function credit_rollout.date_enforcement from public;
create trigger enforcement_dated before update on credit_rollout.enforcement
  for each row execute function credit_rollout.date_enforcement();
insert into credit_rollout.enforcement (credits, concurrency) values ('shadow', 'shadow');`,
};
