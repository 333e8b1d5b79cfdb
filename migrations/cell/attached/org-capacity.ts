// The number that the product enforces per org: its allotment, else its legacy number.
import { MAX } from './decided.js';
import { IS_RETIRED } from './retired.js';

/** It signed up on credits, under whichever cut-over, and no worker has written its allotment yet. */
const SIGNED_UP = `exists (
    select from credit_rollout.sign_ups u where u.org_id = a.org_id and u.model = 'credits')`;

/**
 * `org_capacity`: one row per org, never an error; capacity null: undecidable, keep what you enforce today. An org that
 * is back has what the rule gives with its retired floor, and one that signed up on credits what it gives without one,
 * before a worker has written it.
 */
export const createOrgCapacity = `
create view credit_rollout.org_capacity as
select a.org_id,
  case when s.org_id is not null or ${IS_RETIRED} or ${SIGNED_UP} then 'credits' else 'legacy' end as model,
  case
    when s.org_id is not null then s.total_credits
    when ${IS_RETIRED} then credit_rollout.returned_capacity(a)
    when ${SIGNED_UP} then case
      when a.reason is null and a.base_credits + a.variable_credits <= ${MAX} - a.additional_credits
        then a.base_credits + a.variable_credits + a.additional_credits end
    when a.reason is null and a.legacy_limit <= 9223372036854775807 - a.additional_credits
      then a.legacy_limit + a.additional_credits
  end as capacity
from credit_rollout.assessed a
left join credit_rollout.allotments s on s.org_id = a.org_id;`;
