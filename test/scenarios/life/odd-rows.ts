// A source whose view fails for single orgs, in each way that a view can fail.
import { createTestCell, letOwnerRead, type TestCell, type TestOrg } from '../../support/cell.js';
import { fillCell } from '../../support/fleet.js';

/** What the view does with a value of such a row, in PL/pgSQL. */
const WAYS = {
  no_number: `found := 'n/a'::bigint;`,
  division: 'found := 1 / (length(given) - length(given));',
  too_large: 'found := (10::numeric ^ 30)::bigint;',
  not_a_number: `found := 'NaN'::numeric::bigint;`,
  no_date: `found := '2026-02-30'::date;`,
  no_json: `found := ('{' || given)::jsonb ->> 0;`,
  many_rows: 'found := (select n from generate_series(1, 2) n);',
  no_row: 'select n into strict found from generate_series(1, 0) n;',
  no_case: `case given when 'x' then null; end case;`,
  domain_check: 'found := (-1)::public.seats;',
  domain_null: 'found := null::public.account;',
  too_many: 'found := array_fill(1, array[100000, 100000]);',
  asserted: `assert false, 'odd';`,
  raised: `raise exception 'odd';`,
  raised_denied: `raise exception 'odd' using errcode = '42501';`,
  raised_conflict: `raise exception 'odd' using errcode = '40001';`,
  raised_locked: `raise exception 'odd' using errcode = '55P03';`,
  raised_cancelled: `raise exception 'odd' using errcode = '57014';`,
  raised_doubled: `raise exception 'odd' using errcode = '23505';`,
  raised_check: `raise exception 'odd' using errcode = '23514';`,
  raised_made_up: `raise exception 'odd' using errcode = 'ABCDE';`,
} as const;
const ODD_WAYS = Object.keys(WAYS) as readonly (keyof typeof WAYS)[];

const COLUMNS = [
  ['edition', 'text'],
  ['paid', 'boolean'],
  ['agents', 'bigint'],
  ['light_agents', 'bigint'],
  ['additional_credits', 'bigint'],
  ['legacy_limit', 'bigint'],
  ['created_at', 'timestamptz'],
] as const;

/** Where an odd row stops the view: in a column that somebody reads, or wherever its id is read. */
export const SHAPES = {
  column: '',
  volatile: '',
  from: 'cross join lateral public.odd(r.odd) f',
  where: `where coalesce(public.odd(r.odd), '') <> 'left out'`,
} as const;

/** Reading `odd_column` of an org fails in its way `odd`, where it has one. */
export async function createOddCell(
  orgs: number,
  others: readonly TestOrg[],
  shape: keyof typeof SHAPES = 'column',
): Promise<TestCell> {
  const cell = await createTestCell({ view: true });
  await fillCell(cell, orgs);
  await cell.insertOrgs(...others);
  const branches = Object.entries(WAYS).map(([way, act]) => `if given = '${way}' then ${act} end if;`);
  const columns = COLUMNS.map(
    ([name, type]) => `case when odd_column = '${name}' then public.odd(odd)::${type} else ${name} end as ${name}`,
  );
  await cell.sql(`create domain public.seats as bigint check (value >= 0);
    create domain public.account as bigint not null;
    alter table public.org_rows add odd text, add odd_column text;
    create function public.odd(given text) returns text language plpgsql ${shape === 'volatile' ? 'volatile' : 'stable'} as
      $$ declare found text; begin ${branches.join('\n')} return found; end $$;
    create or replace view public.orgs as
      select org_id, ${columns.join(', ')}, updated_at, peak_credits from public.org_rows r ${SHAPES[shape]}`);
  await letOwnerRead(cell.sql, cell.dataCenter.id);
  return cell;
}

/** Makes one org odd in each way, from `first` on and `apart` from each other, in one column after the other. */
export async function makeOdd(
  cell: TestCell,
  first: number,
  apart: number,
  ways: readonly (keyof typeof WAYS)[] = ODD_WAYS,
): Promise<readonly string[]> {
  const ids = ways.map((_, n) => String(first + n * apart));
  const columns = ways.map((_, n) => COLUMNS[n % COLUMNS.length]?.[0]);
  await cell.sql(
    `update public.org_rows r set odd = o.way, odd_column = o.name, updated_at = now()
     from unnest($1::bigint[], $2::text[], $3::text[]) o (id, way, name) where r.org_id = o.id`,
    [ids, ways, columns],
  );
  return ids;
}
