// The rule in SQL. src/domain/org has the same rule in TypeScript; a property test compares them.
// Both are functions with one query each, which Postgres inlines like views: a key range reaches both sides of the
// join as constants, so the cost of a batch does not grow with the table. OFFSET 0 marks the layer that is computed
// once: without it every use of a term would repeat its whole expression.

export const MAX = '9223372036854775807';
export const ACTIVE_CARD = '(select active_card from credit_rollout.cell)';
const TODAY = '(select (now() at time zone zone)::date from credit_rollout.cell)';
const SWEPT = '(select swept_at is not null from credit_rollout.gate)';
const EFFECTIVE = '(select effective_at from credit_rollout.gate)';
const REVERSED = '(select exists (select from credit_rollout.reversals))';
/** It was created while a cut-over was in effect that was reversed later. */
const UNDER_EARLIER_LINE = `${REVERSED} and exists (select from credit_rollout.reversals r
            where a.created_at >= r.effective_at and a.created_at < r.reversed_at)`;
/**
 * The recorded decision counts, whichever cut-over was in effect then, else the product's own clock. While the gate is not
 * armed and no cut-over was reversed, every org is before.
 */
const BEFORE_CUTOVER = `case when ${EFFECTIVE} is null and not ${REVERSED} then true
        else coalesce((select s.model = 'legacy' from credit_rollout.sign_ups s where s.org_id = a.org_id),
          (${EFFECTIVE} is null or a.created_at < ${EFFECTIVE}) and not (${UNDER_EARLIER_LINE})) end`;
/** The edition ranks below the one recorded with a floor that has not ended. */
const BELOW = 'coalesce(a.paid and p.resting is not null and a.edition_rank < p.floor_rank, false)';

/** Today's terms of every org, without history, under the card that `card` evaluates to. Never raises. */
const assessedQuery = (card: string): string => `
select s.org_id, s.edition, s.paid, s.agents, coalesce(s.light_agents, r.uncounted) as light_agents, s.negotiated_limit,
  s.additional_credits, s.created_at,
  case
    when not s.duplicated and s.paid is not null and s.agents >= 0 and coalesce(s.light_agents, r.uncounted) >= 0
      and s.additional_credits >= 0 and s.created_at is not null
      and (s.negotiated_limit is null or s.negotiated_limit >= 0) and r.edition is not null then null
    when s.duplicated then 'duplicate_id'
    when s.edition is null then 'null_edition'
    when r.edition is null then 'unknown_edition'
    when s.paid is null then 'null_paid'
    when s.agents is null then 'null_agents'
    when coalesce(s.light_agents, r.uncounted) is null then 'null_light_agents'
    when s.additional_credits is null then 'null_additional_credits'
    when s.created_at is null then 'null_created_at'
    when s.agents < 0 then 'negative_agents'
    when s.light_agents < 0 then 'negative_light_agents'
    when s.additional_credits < 0 then 'negative_additional_credits'
    else 'negative_legacy_limit'
  end,
  case when s.paid then r.base else r.unpaid_base end,
  -- null when base + variable would leave bigint: the org is then quarantined as overflow
  case
    when s.agents between 0 and 2147483647
      then s.agents * case when s.paid then r.per_agent else r.unpaid_per_agent end
    when s.agents::numeric * case when s.paid then r.per_agent else r.unpaid_per_agent end
      between 0 and ${MAX} - case when s.paid then r.base else r.unpaid_base end
      then s.agents * case when s.paid then r.per_agent else r.unpaid_per_agent end
  end,
  coalesce(
    case when s.negotiated_limit >= 0 then s.negotiated_limit end,
    r.legacy_flat,
    least(r.legacy_max, greatest(r.legacy_min,
      case
        when s.agents between 0 and 2147483647 and coalesce(s.light_agents, r.uncounted) between 0 and 2147483647
          then r.legacy_per_user * case when r.light_agents_count then s.agents + coalesce(s.light_agents, r.uncounted) else s.agents end
        when s.agents >= 0 and coalesce(s.light_agents, r.uncounted) >= 0
          then least(r.legacy_per_user * (s.agents::numeric + case when r.light_agents_count then coalesce(s.light_agents, r.uncounted) else 0 end),
                     ${MAX})::bigint
      end))),
  case when s.paid then r.concurrency else r.unpaid_concurrency end,
  r.edition_rank,
  r.card_hash
from credit_rollout.source_orgs s
left join (
  -- uncounted: what light agents that are not given count as, where the card does not count them
  select x.*, c.light_agents_count_as_users as light_agents_count,
    case when c.light_agents_count_as_users then null else 0::bigint end as uncounted
  from credit_rollout.rates x join credit_rollout.rate_cards c using (card_hash)
  where x.card_hash = ${card}
) r on r.edition = s.edition`;

/**
 * `assessed(card)`, null for the active card, which Postgres inlines; and the view `assessed`, whose owner's rights let
 * the product read org_capacity without any right on its own table.
 */
export const createAssessed = `
create function credit_rollout.assessed(card text)
returns table (org_id credit_rollout.org_id, edition text, paid boolean, agents bigint, light_agents bigint,
  negotiated_limit bigint, additional_credits bigint, created_at timestamptz, reason text,
  base_credits bigint, variable_credits bigint, legacy_limit bigint, concurrency_limit integer,
  edition_rank integer, rate_card text)
language sql stable rows 1000000 begin atomic
${assessedQuery(`coalesce(card, ${ACTIVE_CARD})`)};
end;

create view credit_rollout.assessed (org_id, edition, paid, agents, light_agents, negotiated_limit, additional_credits, created_at,
  reason, base_credits, variable_credits, legacy_limit, concurrency_limit, edition_rank, rate_card) as
${assessedQuery(ACTIVE_CARD)};`;

// The table's own ends in place of a missing bound: Postgres would estimate the range as a third of the table, and scan it.
const END = (order: 'asc' | 'desc'): string =>
  `(select e.org_id from credit_rollout.allotments e order by e.org_id ${order} limit 1)`;

/** What is left of a floor when an org was unpaid since `row` says: null when it ended by lapse. */
export const RESTING = (row: string): string => `case
          when ${TODAY} - ${row}.unpaid_since > (select lapse_grace_days from credit_rollout.cell) then null
          else ${row}.floor end`;

/** Which orgs a rule decides. */
interface Scope {
  readonly parameters: string;
  readonly within: (row: string) => string;
  /** What is added to it for allotments. */
  readonly ends: string;
}

const RANGE: Scope = {
  parameters: `lower_id credit_rollout.org_id, upper_id credit_rollout.org_id,
  only_ids credit_rollout.org_id[], card text`,
  within: (row) => `(lower_id is null or ${row}.org_id >= lower_id)
          and (upper_id is null or ${row}.org_id < upper_id) and (only_ids is null or ${row}.org_id = any (only_ids))`,
  ends: `
          and (lower_id is not null or upper_id is null or s.org_id >= ${END('asc')})
          and (upper_id is not null or lower_id is null or s.org_id <= ${END('desc')})`,
};
// a list of keys does not reach the inside of a grouped view, one key does
const ONE: Scope = {
  parameters: 'only_id credit_rollout.org_id, card text',
  within: (row) => `${row}.org_id = only_id`,
  ends: '',
};

/**
 * The stored allotment of an org, or the one that was retired when it left: its floor and its unpaid time count on.
 * present: it is stored.
 */
const stored = ({ within, ends }: Scope): string => `
    left join (
      select x.*, f.edition_rank as floor_rank, ${RESTING('x')} as resting
      from (
        select s.*, true as present from credit_rollout.allotments s
        where ${within('s')}${ends}
        union all
        select r.*, false from credit_rollout.retired r where ${within('r')}
      ) x
      left join credit_rollout.rates f
        on f.edition = x.floor_edition and f.card_hash = coalesce(card, ${ACTIVE_CARD})
      offset 0
    ) p on p.org_id = a.org_id`;

/** No org has one: constants, which Postgres folds, so that the join and the history cost nothing. */
const NONE_STORED = `
    cross join (
      select (null::credit_rollout.allotments).*, false as present, null::integer as floor_rank, null::bigint as resting
    ) p`;

/** Today's floor of an org, from what is stored or was retired. */
export const FLOOR = `case
        when not a.paid then p.resting
        when ${BEFORE_CUTOVER} then case
          when p.org_id is null then a.legacy_limit
          -- in the open window: lowered by a lower edition first (rule 3), then set or raised (rule 1)
          when not ${SWEPT} and (p.resting is null or a.legacy_limit > p.resting
            and (a.negotiated_limit is not null or a.legacy_limit - p.resting <= p.resting)) then a.legacy_limit
          when ${BELOW} then least(p.resting, a.legacy_limit)
          else p.resting end
        when ${BELOW} then least(p.resting, a.legacy_limit)
        else p.resting
      end`;

const createRule = (name: string, prior: string, { parameters, within }: Scope): string => `
create function credit_rollout.${name}(${parameters})
returns table (org_id credit_rollout.org_id, edition text, paid boolean, agents bigint, light_agents bigint,
  negotiated_limit bigint, base_credits bigint, variable_credits bigint, additional_credits bigint, legacy_limit bigint,
  floor bigint, floor_edition text, unpaid_since date, grandfathered_credits bigint, total_credits bigint,
  concurrency_limit integer, winner text, rate_card text, reason text, movement text, proposed_floor bigint,
  prior_total bigint)
language sql stable rows 10000 begin atomic
select f.org_id, f.edition, f.paid, f.agents, f.light_agents, f.negotiated_limit, f.base_credits, f.variable_credits,
  f.additional_credits, f.legacy_limit, f.floor, f.floor_edition, f.unpaid_since,
  greatest(f.held_floor - f.plan_credits, 0),
  case when f.additional_credits >= 0 and greatest(f.held_floor, f.plan_credits) <= ${MAX} - f.additional_credits
    then greatest(f.held_floor, f.plan_credits) + f.additional_credits end,
  f.concurrency_limit,
  case when f.held_floor > f.plan_credits then 'legacy' else 'credits' end,
  f.rate_card,
  case
    when f.reason is not null then f.reason
    when f.plan_credits is not null and greatest(f.held_floor, f.plan_credits) <= ${MAX} - f.additional_credits then null
    else 'overflow'
  end,
  case
    -- an overflow has no movement, and its sum must not be computed
    when f.plan_credits is null or not coalesce(f.additional_credits >= 0
      and greatest(f.held_floor, f.plan_credits) <= ${MAX} - f.additional_credits, false) then null
    when f.prior_org_id is null then 'first'
    when greatest(f.held_floor, f.plan_credits) + f.additional_credits < f.prior_total
      or f.prior_floor is not null and (f.floor is null or f.floor < f.prior_floor) then 'fall'
    when greatest(f.held_floor, f.plan_credits) + f.additional_credits > f.prior_total
      or f.floor is distinct from f.prior_floor then 'raise'
    when (f.edition, f.paid, f.agents, f.light_agents, f.negotiated_limit, f.base_credits, f.variable_credits,
          f.additional_credits, f.legacy_limit, f.floor_edition, f.unpaid_since, f.concurrency_limit, f.rate_card)
      is not distinct from
         (f.prior_edition, f.prior_paid, f.prior_agents, f.prior_light_agents, f.prior_negotiated_limit, f.prior_base,
          f.prior_variable, f.prior_additional, f.prior_legacy_limit, f.prior_floor_edition, f.prior_unpaid_since,
          f.prior_concurrency, f.prior_card) then 'same'
    else 'inputs'
  end,
  case
    when not f.paid or f.prior_org_id is null then null
    when f.window_open then case when f.legacy_limit > f.floor then f.legacy_limit end
    when f.swept and f.negotiated_limit is distinct from f.prior_negotiated_limit
      and f.legacy_limit is distinct from f.floor then f.legacy_limit
  end,
  f.prior_total
from (
  select k.*, k.base_credits + k.variable_credits as plan_credits, case when k.paid then k.floor end as held_floor,
    case when k.floor is null then null
         when k.below or k.floor is distinct from k.resting then k.edition
         else k.prior_floor_edition end as floor_edition,
    case when not k.paid then coalesce(k.prior_unpaid_since, k.today) end as unpaid_since
  from (
    select a.*, case when p.present then p.org_id end as prior_org_id, p.edition as prior_edition, p.paid as prior_paid, p.agents as prior_agents,
      p.light_agents as prior_light_agents, p.negotiated_limit as prior_negotiated_limit, p.base_credits as prior_base,
      p.variable_credits as prior_variable, p.additional_credits as prior_additional,
      p.legacy_limit as prior_legacy_limit, p.floor as prior_floor, p.floor_edition as prior_floor_edition,
      p.unpaid_since as prior_unpaid_since, case when p.present then p.total_credits end as prior_total, p.concurrency_limit as prior_concurrency,
      p.rate_card as prior_card, p.resting, ${BELOW} as below, ${TODAY} as today, ${SWEPT} as swept,
      not ${SWEPT} and ${BEFORE_CUTOVER} as window_open,
      ${FLOOR} as floor
    from credit_rollout.assessed(card) a${prior}
    where ${within('a')}
    offset 0
  ) k
) f;
end;`;

/**
 * What is decided for every org with an id in [lower_id, upper_id) and, when given, in only_ids; null bounds are open.
 * `movement` compares with the stored allotment. `reason` not null: undecidable, the terms mean nothing.
 * `decided_first` is the same rule for orgs that have no allotment yet; it does not check whether they have one.
 * `decided_one` is that for one org, `decided_stored` the first for one org.
 */
export const createDecided = `
${createRule('decided', stored(RANGE), RANGE)}
${createRule('decided_first', NONE_STORED, RANGE)}
${createRule('decided_one', NONE_STORED, ONE)}
${createRule('decided_stored', stored(ONE), ONE)}

-- How long reading the source takes for one org, or for a list of so many, in ms, without the planning of the query,
-- which is the same for every source: the best of several, since a busy machine makes any of them slower. Null: the
-- source has fewer. Not as who asks, so that the code of a view cannot become whoever measures.
create function credit_rollout.measure_one_org(orgs integer default 1) returns real language plpgsql
  security definer set search_path = pg_catalog, pg_temp set jit = off set max_parallel_workers_per_gather = 0 as $$
declare
  ids credit_rollout.org_id[] := array(select s.org_id from credit_rollout.source_orgs s limit orgs);
  orgs_of constant text := 'credit_rollout.' || case orgs when 1 then format('decided_one(%L, null) d', ids[1])
    else format('decided_first(null, null, %L, null) d', ids) end;
  -- all columns, as their reader needs them: one that nobody asks for is not computed
  statement constant text := 'select array_agg(to_jsonb(d)) from ' || orgs_of;
  began timestamptz; planned real; whole real; took real; located boolean := false;
begin
  if cardinality(ids) < orgs then return null; end if;
  -- where rows cannot be found, it cannot be measured either
  execute 'select from ' || orgs_of;
  located := true;
  for n in 1..20 loop
    began := clock_timestamp();
    execute 'explain ' || statement;
    planned := least(planned, (extract(epoch from clock_timestamp() - began) * 1000)::real);
    began := clock_timestamp();
    execute statement;
    took := extract(epoch from clock_timestamp() - began) * 1000;
    whole := least(whole, took);
    -- not often what takes long, and oftener what a busy machine may have made slow
    exit when took > 200 or n >= 5 and whole - planned <= 5;
  end loop;
  return greatest(whole - planned, 0);
exception when insufficient_privilege then
  -- the code of a column lacks a right, which doctor names
  if not located then raise; end if;
  return null;
end $$;

create view credit_rollout.decided as select * from credit_rollout.decided(null, null, null, null);`;
