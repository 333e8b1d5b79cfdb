// The number that the product enforces per org: its allotment, else its legacy number.
import { IS_RETIRED } from './retired.js';

/**
 * `org_capacity`: one row per org, never an error; capacity null: undecidable, keep what you enforce today. An org that
 * is back has what the rule gives with its retired floor, before a worker has written it.
 */
export const createOrgCapacity = `
create view credit_rollout.org_capacity as
select a.org_id,
  case when s.org_id is not null or ${IS_RETIRED} then 'credits' else 'legacy' end as model,
  case
    when s.org_id is not null then s.total_credits
    when ${IS_RETIRED} then credit_rollout.returned_capacity(a)
    when a.reason is null and a.legacy_limit <= 9223372036854775807 - a.additional_credits
      then a.legacy_limit + a.additional_credits
  end as capacity
from credit_rollout.assessed a
left join credit_rollout.allotments s on s.org_id = a.org_id;`;
