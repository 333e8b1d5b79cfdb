// Why: a batch hashed for each of its rows what is the same in all of them.
import type { Migration } from '../migration.js';

/**
 * Cuts the chain of the checksum in two: what the rows of one run share, and what is each row's own. The checksums stay
 * what they are, and old code goes on calling `checksum_columns`.
 */
export const splitChecksums: Migration = {
  name: '20261203010000_pre_split_checksums',
  up: `
create function credit_rollout.checksum_seed(rate_card text, origin text, run_id bigint, version integer, paid boolean,
  unpaid_since date, computed_at timestamptz)
returns bigint language sql immutable begin atomic
select hashtextextended(rate_card, hashtextextended(origin, hashint8extended(coalesce(run_id, -1),
  hashint8extended(version * 2 + paid::integer, hashint8extended(coalesce(unpaid_since - '2000-01-01'::date, -1),
  timestamp_hash_extended(computed_at at time zone 'UTC', 0))))));
end;
create function credit_rollout.checksum_from_seed(seed bigint, org_id credit_rollout.org_id, edition text,
  floor_edition text, agents bigint, light_agents bigint, negotiated_limit bigint, additional_credits bigint,
  floor bigint, total_credits bigint)
returns bigint language sql immutable begin atomic
select hashint8extended(total_credits, hashint8extended(coalesce(floor, -1),
  hashint8extended(additional_credits, hashint8extended(coalesce(negotiated_limit, -1), hashint8extended(light_agents,
  hashint8extended(agents,
  hashtextextended(coalesce(floor_edition, ''), hashtextextended(edition, hashtextextended(org_id::text, seed)))))))));
end;
create or replace function credit_rollout.checksum_columns(org_id credit_rollout.org_id, edition text, paid boolean,
  agents bigint, light_agents bigint, negotiated_limit bigint, base_credits bigint, variable_credits bigint,
  additional_credits bigint, legacy_limit bigint, floor bigint, floor_edition text, unpaid_since date,
  grandfathered_credits bigint, total_credits bigint, concurrency_limit integer, winner text, rate_card text,
  origin text, run_id bigint, version integer, computed_at timestamptz)
returns bigint language sql immutable begin atomic
select credit_rollout.checksum_from_seed(
  credit_rollout.checksum_seed(rate_card, origin, run_id, version, paid, unpaid_since, computed_at),
  org_id, edition, floor_edition, agents, light_agents, negotiated_limit, additional_credits, floor, total_credits);
end;
revoke all on function credit_rollout.checksum_seed, credit_rollout.checksum_from_seed from public;`,
};
