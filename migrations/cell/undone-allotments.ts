// Why: what an undo takes away was kept as JSON in the history of each org, which cost four times as much as writing
// the allotments had. It is kept as it was, and whoever reads the history of an org reads both.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { MANY_INSTANTS } from './instants.js';

/** What reads the newest changes of an org, with what an undo took away among them. */
const READERS = ['sign_allotment', 'restore_retired', 'insert_sign_up', 'digest_adoption', 'repair_targets'];

/** Old code reads the history without what is undone from now on: of orgs without allotment it shows less. */
export const keepUndoneAllotments: Migration = {
  name: '20261205060000_pre_keep_undone_allotments',
  up: `
create table credit_rollout.undone_allotments (
  org_id credit_rollout.org_id not null,
  change_id bigint not null,
  run_id bigint not null,
  removed_at timestamptz not null,
  before credit_rollout.allotments not null,
  primary key (org_id, change_id)
);
comment on table credit_rollout.undone_allotments is
  'allotments that an undo took away, as they were; a part of the history of each org';
comment on column credit_rollout.undone_allotments.change_id is
  'place in the history of the org, among the change_id of allotment_changes; one statement has one';
create trigger undone_allotments_append_only before update or delete or truncate on credit_rollout.undone_allotments
  for each statement execute function credit_rollout.refuse_change();
create trigger undone_allotments_read_committed before insert or update or delete on credit_rollout.undone_allotments
  for each statement execute function credit_rollout.require_read_committed();

create view credit_rollout.org_changes as
select c.change_id, c.org_id, c.operation, c.cause, c.run_id, c.rate_card, c.version, c.before, c.changed_at,
  (c.before ->> 'run_id')::bigint as written_by
from credit_rollout.allotment_changes c
union all
select u.change_id, u.org_id, 'delete', 'undo', u.run_id, (u.before).rate_card, (u.before).version, to_jsonb(u.before),
  u.removed_at, (u.before).run_id
from credit_rollout.undone_allotments u;
comment on view credit_rollout.org_changes is 'the history of each org: allotment_changes and undone_allotments';

create or replace function credit_rollout.record_removed_allotments() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  cause text := coalesce(nullif(current_setting('credit_rollout.cause', true), ''), 'manual edit');
  run bigint := nullif(current_setting('credit_rollout.run_id', true), '')::bigint;
begin
  if tg_relid <> 'credit_rollout.allotments'::regclass then
    raise exception 'this function belongs to the triggers of allotments'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  if cause = 'undo' and run is not null then
    -- in one sequence with all other changes: each org has one form at a time
    insert into credit_rollout.undone_allotments (org_id, change_id, run_id, removed_at, before)
      select g.org_id, n.change_id, run, clock_timestamp(), g::credit_rollout.allotments
      from (select nextval('credit_rollout.allotment_changes_change_id_seq') as change_id offset 0) n, gone g;
  else
    insert into credit_rollout.allotment_changes (org_id, operation, cause, run_id, rate_card, version, before)
      select g.org_id, 'delete', cause, run, g.rate_card, g.version, to_jsonb(g) from gone g;
  end if;
  return null;
end $$;
-- a delete is recorded by its statement, which costs a call for all its rows
drop trigger allotments_record_change on credit_rollout.allotments;
create trigger allotments_record_change before update on credit_rollout.allotments
  for each row execute function credit_rollout.record_allotment_change();

do $$
declare
  reader text;
begin
  for reader in
    select pg_get_functiondef(p.oid) from pg_proc p
    where p.pronamespace = 'credit_rollout'::regnamespace and p.proname = any ('{${READERS.join(',')}}')
  loop
    execute replace(reader, 'credit_rollout.allotment_changes', 'credit_rollout.org_changes');
  end loop;
end $$;
${checkInstantsSql('credit_rollout', [...MANY_INSTANTS, 'undone_allotments'])}`,
};
