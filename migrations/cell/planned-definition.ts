// Why: a view whose definition is replaced with the same columns after its plan was approved made every org stale, and
// the follow-up of the run wrote all of them as that view has them, which nobody had approved.
import type { Migration } from '../migration.js';

const SAME = `
  -- nobody approved what another definition says: they stay stale, for another plan
  if exists (select from credit_rollout.runs r join credit_rollout.plans p on p.plan_id = r.plan_id
      where r.run_id = run and p.source_definition <> credit_rollout.source_definition()) then
    update credit_rollout.runs set follow_up_at = clock_timestamp() where run_id = run;
    return 0;
  end if;
  with numbered as (`;

/** Why: a plan keeps what its source was defined as. Old code inserts plans and adds follow-ups as before. */
export const keepPlannedDefinition: Migration = {
  name: '20261205070200_pre_keep_planned_definition',
  up: `
-- A digest of the views that the source is made of, and of the functions that they call. Ours are left out: init makes
-- them again.
create function credit_rollout.source_definition() returns bytea language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
begin
  return (with recursive source (oid) as (
      select to_regclass('credit_rollout.source_orgs')::oid
      union
      select d.refobjid from source s join pg_rewrite w on w.ev_class = s.oid
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
          and d.refclassid = 'pg_class'::regclass),
    parts (name, body) as (
      select format('%I.%I', n.nspname, c.relname), pg_get_viewdef(c.oid)
      from source s join pg_class c on c.oid = s.oid join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('v', 'm') and n.nspname <> 'credit_rollout'
      union
      select format('%I.%I(%s)', n.nspname, f.proname, pg_get_function_identity_arguments(f.oid)), f.prosrc
      from source s join pg_rewrite w on w.ev_class = s.oid
      join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_proc'::regclass
      join pg_proc f on f.oid = d.refobjid join pg_namespace n on n.oid = f.pronamespace
      where n.nspname <> 'credit_rollout')
    select sha256(convert_to(coalesce(string_agg(name || chr(10) || body, chr(10) order by name), ''), 'UTF8'))
    from parts);
end $$;

alter table credit_rollout.plans add source_definition bytea
  constraint plans_source_definition_check check (octet_length(source_definition) = 32);
comment on column credit_rollout.plans.source_definition is
  'what the source was defined as when it was planned: a follow-up is made only while it is the same; null: an old plan';
create function credit_rollout.note_source_definition() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  new.source_definition := credit_rollout.source_definition();
  return new;
end $$;
create trigger plans_source_definition before insert on credit_rollout.plans
  for each row execute function credit_rollout.note_source_definition();
revoke all on function credit_rollout.source_definition, credit_rollout.note_source_definition from public;

do $do$
declare
  old constant text := pg_get_functiondef('credit_rollout.add_follow_up(bigint)'::regprocedure);
  new constant text := replace(old, '
  with numbered as (', $same$${SAME}$same$);
begin
  if new = old then raise exception 'add_follow_up is not as it was released'; end if;
  execute new;
end $do$;`,
};

/**
 * Why: what dynamic SQL in a function of the product looks for in vain, for one row, stopped the work of all orgs. Old
 * code calls the same function.
 */
export const setDynamicFailuresAside: Migration = {
  name: '20261205070300_pre_set_dynamic_failures_aside',
  up: `
create or replace function credit_rollout.is_row_failure(state text, context text) returns boolean
  language sql immutable
  set search_path = pg_catalog, pg_temp begin atomic
select state ~ '^(0A|2[0-3F]|38|39|44|54|P0)' or coalesce(
  (split_part(context, E'\\n', 1) ~ ' RAISE$'
    -- a statement of ours that is rejected has no function around it
    or state ~ '^42' and state <> '42501' and split_part(context, E'\\n', 1) ~ '^(PL/pgSQL|SQL) function ')
  and split_part(context, E'\\n', 1) !~ '[^.\\w"]credit_rollout[.]', false);
end;`,
};
