// SQL that lets no text into a schema that is too long for whoever reads its row: every process reads some of them.

export interface TextLimits {
  /** Tables of many rows that are written at once: what would check them costs more than it guards. */
  readonly without: readonly string[];
  /** `table.column` and the most that it holds, where an honest row needs another limit than its kind. */
  readonly own: Readonly<Record<string, number>>;
}

/** What people write, in characters; what `--reason` and `--text` may say. A name or a code has at most 300. */
const SENTENCES = '^(text|query|answer|note|costs|source)$|(reason|value|release|failure)$';

/** One trigger per table that has such columns. A migration that adds one runs it again. */
export const checkTextsSql = (
  schema: 'credit_rollout' | 'credit_rollout_control',
  { without, own }: TextLimits,
): string => `
create or replace function ${schema}.refuse_text() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  now_has jsonb := to_jsonb(new); had jsonb;
begin
  -- what was stored before there was a limit stays
  if tg_op = 'UPDATE' then had := to_jsonb(old); end if;
  for n in 0 .. tg_nargs - 1 by 2 loop
    if length(now_has ->> tg_argv[n]) > tg_argv[n + 1]::integer
       and now_has -> tg_argv[n] is distinct from had -> tg_argv[n] then
      raise exception '% has at most % characters', tg_argv[n], tg_argv[n + 1]
        using errcode = 'check_violation', constraint = 'texts_length_check';
    end if;
  end loop;
  return new;
end $$;
do $$
declare
  found_table record;
begin
  for found_table in
    select t.name,
      string_agg(format('length(new.%I::text) > %s', t."column", t.most), ' or ' order by t.place) as wrong,
      string_agg(format('%L, %L', t."column", t.most), ', ' order by t.place) as arguments
    from (
      select c.relname as name, a.attname as "column", a.attnum as place, coalesce(
        ('${JSON.stringify(own)}'::jsonb ->> (c.relname || '.' || a.attname))::integer,
        case when b.oid in ('jsonb'::regtype, 'json'::regtype, 'text[]'::regtype) then 20000
          when y.typtype = 'd' or a.attname ~ '${SENTENCES}' then 2000 else 300 end) as most
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        join pg_type y on y.oid = a.atttypid
        join pg_type b on b.oid = case y.typtype when 'd' then y.typbasetype else y.oid end
      where c.relnamespace = '${schema}'::regnamespace and c.relkind = 'r' and c.relname !~ 'migrations'
        and c.relname <> all ('{${without.join(',')}}'::text[])
        and b.oid in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'jsonb'::regtype, 'json'::regtype,
          'text[]'::regtype)) t
    group by t.name
  loop
    execute format('drop trigger if exists %I on ${schema}.%I', found_table.name || '_zz_texts', found_table.name);
    execute format('create trigger %I before insert or update on ${schema}.%I for each row when (%s) '
      'execute function ${schema}.refuse_text(%s)', found_table.name || '_zz_texts', found_table.name,
      found_table.wrong, found_table.arguments);
  end loop;
end $$;
revoke all on function ${schema}.refuse_text from public;`;
