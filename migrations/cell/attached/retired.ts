// Orgs whose allotment was retired, and what one of them has that is back before a worker has written it.
import { ACTIVE_CARD, FLOOR, MAX, RESTING } from './decided.js';

/** A change `c` is the last of its org, and took its allotment: we retired it or somebody deleted it. */
const LAST_DELETED = `c.operation = 'delete' and c.cause <> 'undo'
  and not exists (select from credit_rollout.org_changes n where n.org_id = c.org_id and n.change_id > c.change_id)`;
// the key of the history, so that a key range reaches its index; then the columns in the order of allotments
const LAST_IMAGES = `
select c.org_id, b.edition, b.paid, b.agents, b.light_agents, b.negotiated_limit, b.base_credits, b.variable_credits,
  b.additional_credits, b.legacy_limit, b.floor, b.floor_edition, b.unpaid_since, b.grandfathered_credits,
  b.total_credits, b.concurrency_limit, b.winner, b.origin, b.rate_card, b.run_id, b.version, b.computed_at, b.checksum
from credit_rollout.allotment_changes c
cross join lateral jsonb_populate_record(null::credit_rollout.allotments, c.before) b
where ${LAST_DELETED}`;
/** `retired`: the last allotment of each org that has none any more, but not where an undo took it away. */
export const createRetired = `
create view credit_rollout.retired as${LAST_IMAGES}
  and not exists (select from credit_rollout.allotments s where s.org_id = c.org_id);`;

/** For `org_capacity`: the allotment of an org `a` that has none was retired. */
export const IS_RETIRED = `exists (
    select from credit_rollout.allotment_changes c where c.org_id = a.org_id and ${LAST_DELETED})`;
/**
 * `returned_capacity`: what such an org has now that it is back, before it is written; null: undecidable. Not inlined:
 * at each read of `org_capacity` Postgres would plan this for orgs that have an allotment too, which took four times as
 * long as all the rest. Reads nothing of the source.
 */
export const createReturnedCapacity = `
create function credit_rollout.returned_capacity(a credit_rollout.assessed) returns bigint language plpgsql stable
  security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  return (
    select case when a.reason is null and f.plan is not null
      and greatest(f.held, f.plan) <= ${MAX} - a.additional_credits
      then greatest(f.held, f.plan) + a.additional_credits end
    from (
      select a.base_credits + a.variable_credits as plan, case when a.paid then ${FLOOR} end as held
      from (
        select r.org_id, x.edition_rank as floor_rank, ${RESTING('r')} as resting
        from (${LAST_IMAGES}) r
        left join credit_rollout.rates x on x.edition = r.floor_edition and x.card_hash = ${ACTIVE_CARD}
        where r.org_id = a.org_id
      ) p
      offset 0
    ) f);
end $$;`;
