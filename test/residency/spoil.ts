// A source of a product that raises errors with org data in every part: in its view, in triggers on our tables, in what
// a bake query and a check call. Which error, and where, is a row that the test writes. What is raised for the row of
// an org sets that org aside, whatever the class; what is raised elsewhere makes the job or the command fail.
import type { TestCell } from '../support/cell.js';
import type { Markers } from './search.js';

/** `view` and `trigger`: for one org. `breach`: as if a rule of ours were broken. The others: whatever the org. */
export type SpoiledPlace =
  | 'view'
  | 'trigger'
  | 'plan'
  | 'batch'
  | 'breach'
  | 'detect'
  | 'record'
  | 'protect'
  | 'bake'
  | 'look';

/** The last is a code that Postgres does not have. */
export const CLASSES = [
  'P0001',
  '23505',
  '23514',
  '23001',
  '42501',
  '40P01',
  '55P03',
  '57014',
  '53100',
  '22P02',
  '22003',
  '08006',
  '2BP01',
  '42P01',
  'XX000',
  'MKMK1',
] as const;
export type SpoiledClass = (typeof CLASSES)[number];

const ORGS = 24;
/** An org without a marker: a command may show it. */
export const PLAIN_ID = 'plain';
/** The org that the view cannot read, and the one that cannot be written. */
export const spoilerId = ({ word }: Markers): string => `${word}-id-7`;
const writtenId = ({ word }: Markers): string => `${word}-id-8`;

/** Between the product's table and `init`. */
export async function spoilSource({ sql }: TestCell, markers: Markers): Promise<void> {
  const { word, number } = markers;
  const raise = (subject: string, constraint = `${word}-constraint`): string => `
    if spoiled = '22P02' then perform (${subject})::bigint; end if;
    if spoiled = '22003' then perform '${number}${number}'::text::bigint; end if;
    raise exception '%', case spoiled
        when '42501' then format('permission denied for table %s', ${subject})
        when '2BP01' then format('cannot drop %s', ${subject})
        else format('org %s, called ${word}-name', ${subject}) end
      using errcode = spoiled, detail = format('view %s depends on ${word}-detail (${number})', ${subject}),
        hint = '${word}-hint', constraint = '${constraint}', table = '${word}-table', schema = '${word}-schema',
        column = '${word}-column', datatype = '${word}-type';`;
  const read = (place: SpoiledPlace): string =>
    `spoiled text := (select s.class from public.spoil s where s.place = '${place}');`;
  const ask = (place: 'bake' | 'look'): string => `
    create function public.${place}() returns boolean language plpgsql stable as $$
    declare ${read(place)}
    begin
      if spoiled is null then return true; end if;
      ${raise(`'${spoilerId(markers)}'::text`)}
    end $$;`;
  const write = (place: SpoiledPlace, constraint?: string): string => `
    create function public.spoil_${place}() returns trigger language plpgsql as $$
    declare ${read(place)}
    begin
      if spoiled is null then return new; end if;
      ${raise(`'${spoilerId(markers)}'::text`, constraint)}
    end $$;`;
  await sql(`create table public.spoil (place text primary key, class text not null);
    grant select on public.spoil to public;
    create function public.spoiled(id text, agents bigint) returns bigint language plpgsql stable as $$
    declare ${read('view')}
    begin
      if spoiled is null or id <> '${spoilerId(markers)}' then return agents; end if;
      ${raise('id')}
    end $$;
    ${ask('bake')} ${ask('look')}
    create function public.spoil_write() returns trigger language plpgsql as $$
    declare ${read('trigger')}
    begin
      if spoiled is null or new.org_id::text <> '${writtenId(markers)}' then return new; end if;
      ${raise('new.org_id::text')}
    end $$;
    ${write('plan')} ${write('batch')} ${write('breach', 'allotments_follow_rule')}
    ${write('detect')} ${write('record')} ${write('protect')}
    alter table public.org_rows add name text default '${word}-name';
    create or replace view public.orgs as select org_id, edition, paid, public.spoiled(org_id, agents) as agents,
      light_agents, additional_credits, legacy_limit, created_at, updated_at, peak_credits from public.org_rows;
    insert into public.org_rows
      (org_id, edition, paid, agents, light_agents, additional_credits, created_at, updated_at)
      select '${word}-id-' || n, case when n % 6 = 0 then '${word}-edition' else 'standard' end, true, 300, 0,
        case when n = 5 then ${number} else 0 end, timestamptz '2024-03-01 12:00+00', timestamptz '2024-03-01 12:00+00'
      from generate_series(1, ${ORGS}) n;
    insert into public.org_rows (org_id, edition, paid, agents, light_agents, additional_credits, created_at, name)
      values ('${PLAIN_ID}', 'standard', true, 300, 0, 0, timestamptz '2024-03-01 12:00+00', 'plain')`);
}

/** After `init`: triggers of somebody else on our tables. */
export const spoilWrites = ({ sql }: TestCell): Promise<unknown> =>
  sql(
    [
      ['write', 'insert or update on credit_rollout.allotments'],
      ['plan', 'insert on credit_rollout.plans'],
      ['batch', 'update on credit_rollout.batches'],
      ['breach', 'update on credit_rollout.batches'],
      ['detect', 'insert or update on credit_rollout.detections'],
      ['record', 'insert on credit_rollout.changed_orgs'],
      ['protect', 'insert on credit_rollout.protected_orgs'],
    ]
      .map(
        ([name, what]) => `create trigger spoil_${name} before ${what} for each row execute function spoil_${name}()`,
      )
      .join(';'),
  );

/** From now on this place raises this error; null: it does not. */
export const spoil = ({ sql }: TestCell, place: SpoiledPlace, as: SpoiledClass | null): Promise<unknown> =>
  as === null
    ? sql('delete from public.spoil where place = $1', [place])
    : sql('insert into public.spoil values ($1, $2) on conflict (place) do update set class = excluded.class', [
        place,
        as,
      ]);
