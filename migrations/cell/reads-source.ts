// Why: every batch and every look of the change feed asks whether our views still read the source. As part of each
// statement that cost 4 ms of planning; a function keeps its plan for as long as its connection lives.
import type { Migration } from '../migration.js';

export const askReadsSource: Migration = {
  name: '20261130001000_pre_ask_reads_source',
  up: `
-- Whether our views read what has the name of the source, with ids as unique as they were made for. By the catalog:
-- needs no right on the source. False where they are detached.
create function credit_rollout.reads_source() returns boolean language plpgsql stable
  set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  return exists (
    select from pg_rewrite w
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
      and d.refclassid = 'pg_class'::regclass and d.refobjid <> w.ev_class
    join pg_class c on c.oid = d.refobjid
    join pg_namespace n on n.oid = c.relnamespace
    join credit_rollout.cell k on k.source = format('%I.%I', n.nspname, c.relname)
    where w.ev_class = to_regclass('credit_rollout.source_orgs')
      -- an index does not have the rows of child tables
      and (not k.source_unique
        or exists (select from pg_index i
            join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'org_id' and i.indkey[0] = a.attnum
            where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1
              and i.indcollation[0] = a.attcollation)
          and not exists (select from pg_inherits h
            join pg_class p on p.oid = h.inhparent and p.relkind = 'r' where h.inhparent = c.oid)));
end $$;
revoke all on function credit_rollout.reads_source from public;`,
};
