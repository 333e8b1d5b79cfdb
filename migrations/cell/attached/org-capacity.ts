// The number that the product enforces per org: its allotment, else its legacy number.

/** `org_capacity`: one row per org, never an error; capacity null: undecidable, keep what you enforce today. */
export const createOrgCapacity = `
create view credit_rollout.org_capacity as
select s.org_id,
  case when a.org_id is null then 'legacy' else 'credits' end as model,
  case
    when a.org_id is not null then a.total_credits
    when s.reason is null and s.legacy_limit <= 9223372036854775807 - s.additional_credits
      then s.legacy_limit + s.additional_credits
  end as capacity
from credit_rollout.assessed s
left join credit_rollout.allotments a on a.org_id = s.org_id;`;
