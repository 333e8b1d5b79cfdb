// Why: calls that shadow let through were counted as refused, to operators and on the page of the org.
import type { Migration } from '../migration.js';

const SHADOW = ['shadow_by_credits', 'shadow_by_concurrency'] as const;
const each = (write: (column: string) => string, joint = ', '): string => SHADOW.map(write).join(joint);
const BOUND = '100000000000000000';
const add = (column: string): string =>
  `add column ${column} bigint not null default 0 check (${column} >= 0 and ${column} <= ${BOUND})`;

/**
 * What was counted before stays as it is: nobody knows any more which of it was refused. Meters of before call the old
 * function, and count both as refused until they are replaced.
 */
export const countShadowApart: Migration = {
  name: '20261204030000_pre_count_shadow_apart',
  up: `
alter table credit_rollout.usage_days
  ${each(add, ',\n  ')};

create or replace view credit_rollout.usage_peaks as
select u.org_id, max(u.credits - u.credits_given_back) as peak_credits, max(u.peak_in_flight) as peak_in_flight,
  sum(u.refused_by_credits)::bigint as refused_by_credits,
  sum(u.refused_by_concurrency)::bigint as refused_by_concurrency, count(*)::integer as days,
  ${each((column) => `sum(u.${column})::bigint as ${column}`)}
from credit_rollout.usage_days u
where u.day >= (select (now() at time zone c.zone)::date - 30 from credit_rollout.cell c)
  and u.day < (select (now() at time zone c.zone)::date from credit_rollout.cell c)
group by u.org_id;

create function credit_rollout.record_metered_usage(org_ids text[], days date[], models text[], calls bigint[],
    credits bigint[], calls_given_back bigint[], credits_given_back bigint[], refused_by_credits bigint[],
    refused_by_concurrency bigint[], peaks_in_flight bigint[], kinds jsonb[], shadow_by_credits bigint[],
    shadow_by_concurrency bigint[], out rejected integer, out alerts_80 integer, out alerts_100 integer)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  -- it locks the row of each org and day, in their order
  select r.rejected, r.alerts_80, r.alerts_100 into rejected, alerts_80, alerts_100
    from credit_rollout.record_usage($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) r;
  update credit_rollout.usage_days u set
    ${each((column) => `${column} = greatest(u.${column}, g.${column})`)}, recorded_at = clock_timestamp()
  from (
    select s.org_id, s.day, ${each((column) => `max(s.${column}) as ${column}`)}
    from unnest(credit_rollout.read_org_ids($1), $2, $12, $13) s (org_id, day, ${each((column) => column)})
    where ${each((column) => `s.${column} > 0`, ' or ')} group by s.org_id, s.day) g
  where u.org_id = g.org_id and u.day = g.day
    and (${each((column) => `g.${column} > u.${column}`, ' or ')});
end $$;
revoke all on function credit_rollout.record_metered_usage from public;`,
};
