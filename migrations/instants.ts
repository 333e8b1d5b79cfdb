// SQL that lets no date or instant into a schema that a program cannot hold: infinity, or a year of another age.

/** One trigger per table that has such columns, but those `without`. A migration that adds one runs it again. */
export const checkInstantsSql = (
  schema: 'credit_rollout' | 'credit_rollout_control',
  without: readonly string[],
): string => `
create or replace function ${schema}.refuse_instant() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'an instant lies between the years 1900 and 9999'
    using errcode = 'check_violation', constraint = 'instants_in_range_check';
end $$;
do $$
declare
  found_table record;
begin
  for found_table in
    select c.relname as name, string_agg(case a.atttypid when 'date'::regtype
        then format('new.%I not between %L and %L', a.attname, date '1900-01-01', date '9999-12-31')
        else format('new.%I not between %L and %L', a.attname, timestamptz '1900-01-01Z', timestamptz '9999-12-31Z')
      end, ' or ' order by a.attnum) as wrong
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      and a.atttypid in ('date'::regtype, 'timestamptz'::regtype)
    where c.relnamespace = '${schema}'::regnamespace and c.relkind = 'r' and c.relname !~ 'migrations'
      and c.relname <> all ('{${without.join(',')}}'::text[])
    group by c.relname
  loop
    execute format('drop trigger if exists %I on ${schema}.%I', found_table.name || '_zz_instants', found_table.name);
    execute format('create trigger %I before insert or update on ${schema}.%I for each row when (%s) '
      'execute function ${schema}.refuse_instant()', found_table.name || '_zz_instants', found_table.name,
      found_table.wrong);
  end loop;
end $$;
revoke all on function ${schema}.refuse_instant from public;`;
