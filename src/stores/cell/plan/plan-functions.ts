// The functions that write a plan, with the rights of our schema's owner: whoever makes a plan chooses which orgs it
// reads and when, and nothing of what is counted. They read the source, so `init` creates them again with our views.
// Every value of a statement is a parameter or quoted; what it is built from is here.
import { rowHash } from '../hashes.js';
import { flagsOfRow } from './plan-branch.js';
import { BAR, GROUPS_AS_JSON, groupCounts, IN_GROUP, MOVEMENT, RANGE_SHIFT } from './plan-groups.js';
import { BEFORE, firstOfGroups, type ListName } from './plan-lists.js';

/** What the functions depend on. */
export interface PlannedSource {
  /** The source proves that ids are unique. */
  readonly unique: boolean;
  /** The source has peak_credits. */
  readonly usage: boolean;
}

/** What a statement knows of the busiest day of an org: of the source, and measured where that has none. */
interface KnownPeaks {
  readonly source: boolean;
  readonly measured: boolean;
}

const isNarrow = (column: string): string => `d.${column} between -2147483647 and 2147483647`;

// Every column of a group, its orgs in the order in which the rows come. The branch of a group tells of the last three
// columns whether all its orgs have a value or none has; undecidable orgs have no branch.
const COLUMNS = `,
    sum(${rowHash('d')}) as digest, array_agg(d.org_id) as org_ids,
    array_agg(case when ${isNarrow('agents')} then d.agents::int end) as agents,
    array_agg(case when ${isNarrow('light_agents')} then d.light_agents::int end)
      filter (where d.light_agents > 0 or d.reason is not null) as light_agents,
    array_agg(d.additional_credits)
      filter (where d.additional_credits > 0 or d.reason is not null) as additional_credits,
    array_agg(d.negotiated_limit)
      filter (where d.negotiated_limit is not null or d.reason is not null) as negotiated_limits,
    array_agg(d.total_credits) as total_credits,
    jsonb_object_agg(d.org_id::text, jsonb_build_array(d.agents, d.light_agents))
      filter (where not (${isNarrow('agents')} and ${isNarrow('light_agents')})) as wide`;

// $1: where consecutive ranges begin and end, null for an open end; $2: the same without both ends; $3, $4: both ends
const WITHIN = '($3 is null or org_id >= $3) and ($4 is null or org_id < $4)';

// at most one row for each id, or a duplicated id would be counted twice
const joinPeaks = (unique: boolean, { source, measured }: KnownPeaks): string =>
  [
    source &&
      `
  left join (
    select ${unique ? '' : 'distinct on (org_id)'} org_id, peak_credits from credit_rollout.source_orgs where ${WITHIN}
    ${unique ? '' : 'order by org_id'}
  ) u on u.org_id = d.org_id`,
    measured &&
      `
  left join (
    select org_id, peak_credits from credit_rollout.usage_peaks where ${WITHIN}
  ) m on m.org_id = d.org_id`,
  ]
    .filter((join) => join !== false)
    .join('');

function selectPeak({ source, measured }: KnownPeaks): string {
  const columns = [...(source ? ['u.peak_credits'] : []), ...(measured ? ['m.peak_credits'] : [])];
  return columns.length === 0 ? '' : `, coalesce(${columns.join(', ')}) as peak`;
}

const touched = (sum: string): string => `coalesce(${sum} filter (where ${IN_GROUP.touched}), 0)`;
const decided = (value: string): string => `case when g.reason is null then ${value} end`;

const STORED = `,
columns as (
  insert into credit_rollout.plan_groups (plan_id, range_no, group_no, edition, paid, winner, movement, org_ids, agents,
    light_agents, additional_credits, negotiated_limits, total_credits, wide)
  select $6, $7 + (${IN_GROUP.rangeNo}), row_number() over (),
    ($8)[${IN_GROUP.editionNo}], ${IN_GROUP.paid}, ${decided(IN_GROUP.winner)},
    ${decided(IN_GROUP.movement)}, g.org_ids, g.agents, g.light_agents, g.additional_credits, g.negotiated_limits,
    ${decided('g.total_credits')}, g.wide
  from grouped g
), stored as (
  insert into credit_rollout.plan_ranges (
    plan_id, range_no, lower_id, upper_id, orgs, touched, touched_credits, digest)
  select $6, $7 + r.no, r.lower_id, r.upper_id, coalesce(sum(g.orgs), 0),
    ${touched('sum(g.orgs)')}, ${touched('sum(g.after)')}, ${touched('sum(g.digest)')}
  from (select n - 1 as no, ($1)[n] as lower_id, ($1)[n + 1] as upper_id
    from generate_series(1, cardinality($1) - 1) n) r
  left join grouped g on ${IN_GROUP.rangeNo} = r.no
  group by r.no, r.lower_id, r.upper_id
)`;

// What guard-rails measure, of all groups `g`. Of undecidable orgs only their number means something.
const MEASURED = `(select json_build_object(
    'orgs', coalesce(sum(g.orgs), 0), 'touched', ${touched('sum(g.orgs)')},
    'quarantined', coalesce(sum(g.orgs) filter (where g.reason is not null), 0),
    'protectedTouched', ${touched('sum(g.protected)')},
    'paidFalling', coalesce(sum(g.orgs)
      filter (where ${IN_GROUP.touched} and ${IN_GROUP.paid} and ${IN_GROUP.falling}), 0),
    'before', coalesce(sum(g.before) filter (where g.reason is null), 0)::text,
    'after', coalesce(sum(g.after) filter (where g.reason is null), 0)::text,
    'maxRaiseFactor', max(g.factor) filter (where ${IN_GROUP.touched} and g.factor > 1),
    'maxFloorOverPlan', max(g.floor_over_plan)
      filter (where g.reason is null and ${IN_GROUP.paid} and not ${IN_GROUP.negotiated})) from grouped g)`;

// of undecidable orgs the ranks mean nothing; the list of raises names only orgs that are written
const firstOf = (list: ListName): string => firstOfGroups(list, list === 'raise' ? IN_GROUP.touched : IN_GROUP.decided);

const RANKS: Readonly<Record<ListName, string>> = { raise: '$9', floor: '$10', short: '$11' };

// Pieces between which the function puts the number of the range, the places of the editions, the rule, and what only
// some plans need. OFFSET 0: what the rule gives is computed once, however often it is used. MATERIALIZED: several
// readers share it.
function planStatement(unique: boolean, peaks: KnownPeaks): readonly string[] {
  const lists: readonly ListName[] = peaks.source || peaks.measured ? ['raise', 'floor', 'short'] : ['raise', 'floor'];
  return [
    `
with grouped as materialized (
  select (`,
    `) << ${RANGE_SHIFT}
    | case when d.reason is null then (((`,
    `) << 8 | ${flagsOfRow}) << 4 | ${MOVEMENT}) << 4 | ${BAR} else 0 end as key,
    d.reason, ${groupCounts(lists, RANKS)},
    `,
    ` as protected`,
    `
  from (
  select ${unique ? '' : 'distinct on (d.org_id)'} d.*${selectPeak(peaks)}`,
    `
  from (
    select r.*, r.base_credits + r.variable_credits as plan_credits, ${BEFORE} as before
    from credit_rollout.`,
    `($3, $4, null, $5) r offset 0
  ) d${joinPeaks(unique, peaks)}`,
    `
  ${unique ? '' : 'order by d.org_id'}) d
  group by 1, d.reason
)`,
    `
select json_build_object('groups', (${GROUPS_AS_JSON}),
  ${lists.map((list) => `'${list}', ${firstOf(list)}`).join(', ')},
  'measured', ${MEASURED})`,
  ];
}

const quoted = (text: string | undefined): string => `$part$${text ?? ''}$part$`;

/** plpgsql: the text of the statement. */
function statementText(unique: boolean, peaks: KnownPeaks): string {
  const [start, kind, flags, counts, rows, from, rule, end, answer] = planStatement(unique, peaks);
  return `${quoted(start)} || in_range || ${quoted(kind)} || places || ${quoted(flags)}
      || case when protects then 'count(d.protected)' else '0' end
      || ${quoted(counts)} || case when plan is null then '' else ${quoted(COLUMNS)} end
      || ${quoted(rows)} || case when protects then ', p.org_id as protected' else '' end
      || ${quoted(from)} || case when is_first then 'decided_first' else 'decided' end
      || ${quoted(rule)}
      || case when protects then ' left join credit_rollout.protected_orgs p on p.org_id = d.org_id' else '' end
      || ${quoted(end)} || case when plan is null then '' else ${quoted(STORED)} end || ${quoted(answer)}`;
}

/** SQL: whether a meter counted on any of the last 30 whole days. Reads no org. */
export const HAS_MEASURED = `exists (
    select from credit_rollout.usage_days u cross join credit_rollout.cell c
    where u.day >= (now() at time zone c.zone)::date - 30 and u.day < (now() at time zone c.zone)::date)`;

/** SQL that creates the functions that write a plan, for a source. */
export function planFunctionsSql({ unique, usage }: PlannedSource): string {
  return `
create function credit_rollout.plan_key_ranges(plan bigint, first_no integer, bounds credit_rollout.org_id[], card text,
  editions text[], ranks double precision[]) returns json language plpgsql
  security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
  set extra_float_digits = 1 as $function$
declare
  lowest credit_rollout.org_id := bounds[1];
  highest credit_rollout.org_id := bounds[cardinality(bounds)];
  inner_bounds credit_rollout.org_id[] := bounds[2:cardinality(bounds) - 1];
  protects boolean; measured boolean; is_first boolean; in_range text; places text;
  planned json;
begin
  if cardinality(bounds) not between 2 and 17 or cardinality(editions) > 500 then
    raise exception 'at most 16 ranges and 500 editions' using errcode = 'invalid_parameter_value';
  end if;
  if plan is not null then perform credit_rollout.check_open_plan(plan, false); end if;
  -- a few comparisons with constants cost less than a search; the editions as constants, which is the cheapest lookup
  select exists (select from credit_rollout.protected_orgs), ${HAS_MEASURED},
      case when cardinality(bounds) > 5 then 'width_bucket(d.org_id, $2)'
        else coalesce((select 'case '
          || string_agg(format('when d.org_id < ($2)[%s] then %s', n, n - 1), ' ' order by n)
          || format(' else %s end', max(n)) from generate_series(1, cardinality(bounds) - 2) n), '0') end,
      (select coalesce('case d.edition ' || string_agg(format('when %L then %s', e.name, e.place), ' ' order by e.place)
        || ' else 0 end', '0') from unnest(editions) with ordinality e (name, place))
    into protects, measured, in_range, places;
  -- the rule without history, where no org of these has one; ORDER BY and count() keep it on the index: for EXISTS
  -- Postgres may scan the table for a match, and reads all of it where there is none. EXECUTE: bounds as constants
  execute 'select count(*) = 0 from (select from credit_rollout.allotments a
      where ($1 is null or a.org_id >= $1) and ($2 is null or a.org_id < $2) order by a.org_id limit 1) first_one'
    into is_first using lowest, highest;
  execute case when measured then ${statementText(unique, { source: usage, measured: true })}
    else ${statementText(unique, { source: usage, measured: false })} end
    into planned
    using bounds, inner_bounds, lowest, highest, card, plan, first_no, editions, ranks[1], ranks[2], ranks[3];
  if plan is not null then
    insert into credit_rollout.plan_parts (plan_id, first_no, card_hash, measured)
      values (plan, first_no, card, planned -> 'measured');
  end if;
  return planned;
end $function$;`;
}
