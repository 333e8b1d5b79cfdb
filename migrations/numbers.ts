// SQL that brings numbers which a login writes into a range that others can add to, sum and send: a counter at the end
// of its type stopped every honest process that counts on.

/** Numbers that name, sign or grant something: nothing adds to them, and their sums are numeric. */
const NO_COUNTERS =
  '(_id|_no|^epoch|_epoch|link|seq|kept|hash|hashes|checksum|digest|number|version|revision|threshold)$' +
  '|^(base|per_agent|unpaid_base|unpaid_per_agent|legacy_(limit|flat|per_user|min|max))$' +
  '|^(floor|proposed_floor|before_floor|after_floor)$' +
  '|^(before_total|after_total|peak_.*|wanted|limit_value|value)$';

/**
 * One trigger per table but those `without`; a migration that adds such a column runs it again. It never refuses: an
 * honest process that adds to what is too much goes on. 10^15 for counts, 10^9 where the type is an integer, 10^30 for
 * sums of credits; NaN becomes 0.
 */
export const boundNumbersSql = (
  schema: 'credit_rollout' | 'credit_rollout_control',
  without: readonly string[],
): string => `
create or replace function ${schema}.bound_number() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  given jsonb := to_jsonb(new); bounded jsonb := '{}'; value numeric; most numeric;
begin
  for n in 0 .. tg_nargs - 1 by 2 loop
    value := (given ->> tg_argv[n])::numeric;
    most := tg_argv[n + 1]::numeric;
    if value not between -most and most then
      bounded := bounded || jsonb_build_object(tg_argv[n],
        case when value = 'NaN' then 0 else greatest(-most, least(most, value)) end);
    end if;
  end loop;
  new := jsonb_populate_record(new, bounded);
  return new;
end $$;
do $$
declare
  found_table record;
begin
  for found_table in
    select t.name,
      string_agg(format('new.%I not between -%s and %s', t."column", t.most, t.most), ' or ' order by t.place) as wrong,
      string_agg(format('%L, %L', t."column", t.most), ', ' order by t.place) as arguments
    from (
      select c.relname as name, a.attname as "column", a.attnum as place, case a.atttypid
        when 'integer'::regtype then '1000000000' when 'numeric'::regtype then '1' || repeat('0', 30)
        else '1' || repeat('0', 15) end as most
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relnamespace = '${schema}'::regnamespace and c.relkind = 'r' and c.relname !~ 'migrations'
        and c.relname <> all ('{${without.join(',')}}'::text[]) and a.attname !~ '${NO_COUNTERS}'
        and a.atttypid in ('integer'::regtype, 'bigint'::regtype, 'numeric'::regtype, 'real'::regtype,
          'double precision'::regtype)) t
    group by t.name
  loop
    execute format('drop trigger if exists %I on ${schema}.%I', found_table.name || '_zz_numbers', found_table.name);
    execute format('create trigger %I before insert or update on ${schema}.%I for each row when (%s) '
      'execute function ${schema}.bound_number(%s)', found_table.name || '_zz_numbers', found_table.name,
      found_table.wrong, found_table.arguments);
  end loop;
end $$;
revoke all on function ${schema}.bound_number from public;`;
