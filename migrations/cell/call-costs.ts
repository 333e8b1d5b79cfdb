// Why: what calls cost is part of a rate card and of its hash, so a cell holds it with the card and checks it with the
// rates. Old code adds cards without costs, whose hash has none.
import type { Migration } from '../migration.js';

export const recordCallCosts: Migration = {
  name: '20261130020300_pre_record_call_costs',
  up: `
alter table credit_rollout.rate_cards add column costs text not null default ''
  constraint rate_cards_costs_check check (case when costs = '' then true else jsonb_typeof(costs::jsonb) = 'array' end);

create or replace function credit_rollout.check_rates() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
    select from (select distinct a.card_hash from added a) t
    join credit_rollout.rate_cards c on c.card_hash = t.card_hash
    cross join lateral (
      select string_agg('[' || concat_ws(',', to_json(r.edition)::text, '"' || r.base || '"', '"' || r.per_agent || '"',
          '"' || r.concurrency || '"', case when r.legacy_flat is not null then '"flat","' || r.legacy_flat || '"'
            else '"perUser","' || r.legacy_per_user || '","' || r.legacy_min || '","' || r.legacy_max || '"' end) || ']',
          ',' order by credit_rollout.code_units(r.edition) collate "C") as editions,
        bool_and(r.edition_rank = r.rank and r.unpaid_base = u.base and r.unpaid_per_agent = u.per_agent
          and r.unpaid_concurrency = u.concurrency) as derived
      from (select x.*, dense_rank() over (order by x.base, x.per_agent) - 1 as rank
        from credit_rollout.rates x where x.card_hash = t.card_hash) r
      left join credit_rollout.rates u on u.card_hash = t.card_hash and u.edition = c.unpaid_edition) k
    where k.derived is not true or t.card_hash <> left(encode(sha256(convert_to('["rate-card-1",'
      || c.light_agents_count_as_users || ',' || to_json(c.unpaid_edition)::text || ',[' || k.editions || ']'
      || case when c.costs = '' then '' else ',' || c.costs end || ']', 'UTF8')), 'hex'), 16)
  ) then
    raise exception 'the rates are not those of the card that they name'
      using errcode = 'check_violation', constraint = 'rates_hash_check';
  end if;
  return null;
end $$;
`,
};
