// The rule, stated once in SQL. Its twin in TypeScript is src/domain/org; a property test holds the two together.
// Both are functions with one query each, which Postgres inlines like views: a key range reaches both sides of the
// join as constants, so the cost of a batch does not grow with the table. OFFSET 0 marks a layer that is computed
// once: without it every use of a term would repeat its whole expression (measured: 2.7 times slower).

const MAX = '9223372036854775807';
/** The recorded decision counts, else the product's own clock; while the gate is not armed every org is before. */
const BEFORE_CUTOVER = `case when (select effective_at from credit_rollout.gate) is null then true
  else coalesce((select s.decided_at from credit_rollout.sign_ups s where s.org_id = a.org_id), a.created_at)
    < (select effective_at from credit_rollout.gate) end`;

const ACTIVE_CARD = '(select active_card from credit_rollout.cell)';

/** Today's terms of every org, without history, under the card that `card` evaluates to. Never raises. */
const assessedQuery = (card: string): string => `
select o.org_id, o.edition, o.paid, o.agents, o.light_agents, o.negotiated_limit, o.additional_credits, o.created_at,
  case
    when not o.duplicated and o.paid is not null and o.agents >= 0 and o.light_agents >= 0 and o.additional_credits >= 0
      and o.created_at is not null and (o.negotiated_limit is null or o.negotiated_limit >= 0) and r.edition is not null
      then null
    when o.duplicated then 'duplicate_id'
    when o.edition is null then 'null_edition'
    when o.paid is null then 'null_paid'
    when o.agents is null then 'null_agents'
    when o.light_agents is null then 'null_light_agents'
    when o.additional_credits is null then 'null_additional_credits'
    when o.created_at is null then 'null_created_at'
    when o.agents < 0 then 'negative_agents'
    when o.light_agents < 0 then 'negative_light_agents'
    when o.additional_credits < 0 then 'negative_additional_credits'
    when o.negotiated_limit < 0 then 'negative_legacy_limit'
    else 'unknown_edition'
  end,
  case when o.paid then r.base else r.unpaid_base end,
  -- null when base + variable would leave bigint: the org is then quarantined as overflow
  case
    when o.agents between 0 and 2147483647
      then o.agents * case when o.paid then r.per_agent else r.unpaid_per_agent end
    when o.agents::numeric * case when o.paid then r.per_agent else r.unpaid_per_agent end
      between 0 and ${MAX} - case when o.paid then r.base else r.unpaid_base end
      then o.agents * case when o.paid then r.per_agent else r.unpaid_per_agent end
  end,
  coalesce(
    case when o.negotiated_limit >= 0 then o.negotiated_limit end,
    r.legacy_flat,
    least(r.legacy_max, greatest(r.legacy_min,
      case
        when o.agents between 0 and 2147483647 and o.light_agents between 0 and 2147483647
          then r.legacy_per_user * case when r.light_agents_count then o.agents + o.light_agents else o.agents end
        when o.agents >= 0 and o.light_agents >= 0
          then least(r.legacy_per_user * (o.agents::numeric + case when r.light_agents_count then o.light_agents else 0 end),
                     ${MAX})::bigint
      end))),
  case when o.paid then r.concurrency else r.unpaid_concurrency end,
  r.edition_rank,
  r.card_hash
from (
  select s.org_id, s.edition, s.paid, s.agents, s.negotiated_limit, s.additional_credits, s.created_at, s.duplicated,
    case when (select c.light_agents_count_as_users from credit_rollout.rate_cards c
               where c.card_hash = ${card})
      then s.light_agents else coalesce(s.light_agents, 0) end as light_agents
  from credit_rollout.source_orgs s
) o
left join (
  select x.*, c.light_agents_count_as_users as light_agents_count
  from credit_rollout.rates x join credit_rollout.rate_cards c using (card_hash)
  where x.card_hash = ${card}
) r on r.edition = o.edition`;

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
language sql stable rows 1000000 as $$
${assessedQuery(`coalesce(card, ${ACTIVE_CARD})`)}
$$;

create view credit_rollout.assessed (org_id, edition, paid, agents, light_agents, negotiated_limit, additional_credits, created_at,
  reason, base_credits, variable_credits, legacy_limit, concurrency_limit, edition_rank, rate_card) as
${assessedQuery(ACTIVE_CARD)};`;

/**
 * What is decided for every org with an id in [lower_id, upper_id) and, when given, in only_ids; null bounds are open.
 * `movement` compares with the stored allotment. `reason` not null: undecidable, the terms mean nothing.
 */
export const createDecided = `
create function credit_rollout.decided(lower_id credit_rollout.org_id, upper_id credit_rollout.org_id,
  only_ids credit_rollout.org_id[], card text)
returns table (org_id credit_rollout.org_id, edition text, paid boolean, agents bigint, light_agents bigint,
  negotiated_limit bigint, base_credits bigint, variable_credits bigint, additional_credits bigint, legacy_limit bigint,
  floor bigint, floor_edition text, unpaid_since date, grandfathered_credits bigint, total_credits bigint,
  concurrency_limit integer, winner text, rate_card text, reason text, movement text, proposed_floor bigint,
  prior_total bigint)
language sql stable rows 10000 as $$
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
  select t.*, t.base_credits + t.variable_credits as plan_credits, case when t.paid then t.floor end as held_floor,
    case when t.floor is null then null
         when t.below or t.floor is distinct from t.resting then t.edition
         else t.prior_floor_edition end as floor_edition,
    case when not t.paid then coalesce(t.prior_unpaid_since, t.today) end as unpaid_since
  from (
    select k.*, case
        when not k.paid then k.resting
        when k.prior_org_id is null then case when k.before_cutover then k.legacy_limit end
        -- in the open window: lowered by a lower edition first (rule 3), then set or raised (rule 1)
        when k.window_open and (k.resting is null or k.legacy_limit > k.resting
             and (k.negotiated_limit is not null or k.legacy_limit - k.resting <= k.resting)) then k.legacy_limit
        when k.below then least(k.resting, k.legacy_limit)
        else k.resting
      end as floor
    from (
      select a.*, p.org_id as prior_org_id, p.edition as prior_edition, p.paid as prior_paid, p.agents as prior_agents,
        p.light_agents as prior_light_agents, p.negotiated_limit as prior_negotiated_limit, p.base_credits as prior_base,
        p.variable_credits as prior_variable, p.additional_credits as prior_additional,
        p.legacy_limit as prior_legacy_limit, p.floor as prior_floor, p.floor_edition as prior_floor_edition,
        p.unpaid_since as prior_unpaid_since, p.total_credits as prior_total, p.concurrency_limit as prior_concurrency,
        p.rate_card as prior_card,
        (select (now() at time zone zone)::date from credit_rollout.cell) as today,
        (select swept_at is not null from credit_rollout.gate) as swept,
        ${BEFORE_CUTOVER} as before_cutover,
        (select swept_at is null from credit_rollout.gate) and ${BEFORE_CUTOVER} as window_open,
        case when p.unpaid_since is not null and (select (now() at time zone zone)::date from credit_rollout.cell)
                  - p.unpaid_since > (select lapse_grace_days from credit_rollout.cell) then null
             else p.floor end as resting,
        case when p.floor_edition <> a.edition and a.paid
             and not (p.unpaid_since is not null and (select (now() at time zone zone)::date from credit_rollout.cell)
                  - p.unpaid_since > (select lapse_grace_days from credit_rollout.cell)) then coalesce(a.edition_rank < (
               select x.edition_rank from credit_rollout.rates x
               where x.edition = p.floor_edition and x.card_hash = a.rate_card), false) else false end as below
      from credit_rollout.assessed(card) a
      left join (
        select x.* from credit_rollout.allotments x
        where (lower_id is null or x.org_id >= lower_id) and (upper_id is null or x.org_id < upper_id)
          and (only_ids is null or x.org_id = any (only_ids))
      ) p on p.org_id = a.org_id
      where (lower_id is null or a.org_id >= lower_id) and (upper_id is null or a.org_id < upper_id)
        and (only_ids is null or a.org_id = any (only_ids))
      offset 0
    ) k
    offset 0
  ) t
) f
$$;

create view credit_rollout.decided as select * from credit_rollout.decided(null, null, null, null);`;
