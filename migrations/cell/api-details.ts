// Why: every org sees what it has and what it used, on a page of ours or of the product.
import type { Migration } from '../migration.js';

/**
 * Why: one function gives all that such a page shows. What it reads of our tables and what it reads of the source are
 * two functions, since each belongs to another role. Old code does not call it.
 */
export const createApiDetails: Migration = {
  name: '20261130020200_pre_create_api_details',
  up: `
-- What our tables know of an org: usage of today and of 30 days, the newest exception. No credit is rounded: as text.
create function credit_rollout.stored_details(org credit_rollout.org_id) returns jsonb language plpgsql stable
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  place credit_rollout.cell := (select c from credit_rollout.cell c);
  today date := (now() at time zone place.zone)::date;
begin
  return jsonb_build_object(
    'data_center', place.data_center, 'zone', place.zone, 'now', now(), 'today', today,
    'resets_at', (today + 1)::timestamp at time zone place.zone,
    'allotment', (select jsonb_build_object('edition', a.edition, 'paid', a.paid,
        'base_credits', a.base_credits::text, 'variable_credits', a.variable_credits::text,
        'grandfathered_credits', a.grandfathered_credits::text, 'floor', a.floor::text,
        'additional_credits', a.additional_credits::text, 'total_credits', a.total_credits::text,
        'agents', a.agents::text, 'concurrency_limit', a.concurrency_limit)
      from credit_rollout.allotments a where a.org_id = org),
    'days', (select coalesce(jsonb_agg(jsonb_build_object('day', u.day, 'model', u.model, 'calls', u.calls::text,
        'credits', u.credits::text, 'calls_given_back', u.calls_given_back::text,
        'credits_given_back', u.credits_given_back::text, 'refused_by_credits', u.refused_by_credits::text,
        'refused_by_concurrency', u.refused_by_concurrency::text, 'peak_in_flight', u.peak_in_flight::text)
        order by u.day desc), '[]')
      from credit_rollout.usage_days u where u.org_id = org and u.day between today - 29 and today),
    'kinds', (select coalesce(jsonb_object_agg(k.kind, jsonb_build_object('calls', k.counters ->> 'calls',
        'credits', k.counters ->> 'credits')), '{}')
      from credit_rollout.usage_days u cross join jsonb_each(u.kinds) k (kind, counters)
      where u.org_id = org and u.day = today),
    'exception', (select jsonb_build_object('text', e.text, 'wanted', e.wanted::text, 'until', e.until,
        'asked_at', e.asked_at, 'state', e.state, 'answer', case when e.state <> 'open' then e.answer end,
        'answered_at', e.answered_at)
      from credit_rollout.exceptions e where e.org_id = org order by e.exception_id desc limit 1));
end $$;

-- All that the page of an org shows: what it has, what it used, when that resets. Null: there is no such org.
create function credit_rollout.api_details(org_id credit_rollout.org_id) returns jsonb language plpgsql stable
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  known record; given record;
  stored jsonb;
begin
  select c.org_id, c.model, c.capacity into known from credit_rollout.org_capacity c where c.org_id = $1 limit 1;
  stored := credit_rollout.stored_details($1);
  if known.org_id is null and jsonb_typeof(stored -> 'allotment') = 'null' then return null; end if;
  select s.edition, s.paid, s.agents::text as agents, s.additional_credits::text as additional_credits into given
    from credit_rollout.source_orgs s where s.org_id = $1 limit 1;
  return jsonb_build_object('org_id', $1::text, 'model', coalesce(known.model, 'credits'),
      'capacity', coalesce(known.capacity::text, stored -> 'allotment' ->> 'total_credits'),
      'edition', given.edition, 'paid', given.paid, 'agents', given.agents,
      'additional_credits', given.additional_credits)
    || (stored - 'allotment') || coalesce(nullif(stored -> 'allotment', 'null'::jsonb), '{}'::jsonb);
end $$;
revoke all on function credit_rollout.stored_details, credit_rollout.api_details from public;`,
};
